/** Who answered a request, as far as an error tells of it. */
export interface Answer {
  status: number;
  headers: Headers;
}

/** A request that came to nothing: no answer, or one that is not tRPC's. */
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

function isTrpc(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ('result' in value || 'error' in value);
}

/** Reads the answer to one call, or to a batch; throws a SyntaxError. */
function parseAnswer(text: string): unknown {
  const answer: unknown = JSON.parse(text);
  if (!(Array.isArray(answer) ? answer : [answer]).every(isTrpc)) throw new SyntaxError('not an answer of tRPC');
  return answer;
}

/** Makes a fetch for tRPC's links, which throws a RequestFailure where there is no answer of tRPC. */
export function createRequest(send: typeof fetch) {
  return async (url: string | URL | Request, init?: object) => {
    // The key goes to the addresses that were given and nowhere else.
    const response = await send(url, { ...init, redirect: 'manual' }).catch(noAnswer);
    const { ok, status, headers } = response;
    return {
      ok,
      status,
      headers,
      async json(): Promise<unknown> {
        const text = await response.text().catch(noAnswer);
        try {
          return parseAnswer(text);
        } catch {
          throw new RequestFailure('not an answer of tRPC', { status, headers });
        }
      },
    };
  };
}
