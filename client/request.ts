/** Who answered a request, as far as an error tells of it. */
export interface Answer {
  status: number;
  headers: Headers;
}

/** A request that came to nothing: no answer, or one that is not JSON. */
export class RequestFailure extends Error {
  /** Null where there was none. */
  readonly answer: Answer | null;

  constructor(message: string, answer: Answer | null) {
    super(message);
    this.answer = answer;
  }
}

/** Why a fetch failed, in the words of what caused it, such as `connect ECONNREFUSED 127.0.0.1:4000`. */
function reason(error: unknown, depth = 0): string {
  if (!(error instanceof Error)) return 'it failed';
  if (error.cause instanceof Error && depth < 5) return reason(error.cause, depth + 1);
  // Where a name has several addresses, what failed at all of them has a code and no message.
  return error.message || ('code' in error ? String(error.code) : error.name);
}

function noAnswer(error: unknown): never {
  throw new RequestFailure(reason(error), null);
}

/** Makes a fetch for tRPC's links, which throws a RequestFailure where there is no JSON to be had. */
export function createRequest(send: typeof fetch) {
  return async (url: string | URL | Request, init?: object) => {
    // The key goes to the addresses that were given and nowhere else.
    const sending = async () => send(url, { ...init, redirect: 'manual' });
    const response = await sending().catch(noAnswer);
    const { ok, status, headers } = response;
    return {
      ok,
      status,
      headers,
      async json(): Promise<unknown> {
        const text = await response.text().catch(noAnswer);
        try {
          return JSON.parse(text);
        } catch {
          throw new RequestFailure('not JSON', { status, headers });
        }
      },
    };
  };
}
