import { type ErrorType, errorStatus } from '@counterfoil/shared/errors';
import type { Conversation } from './conversations.ts';
import { isValid, type KeyKind } from './keys.ts';
import type { FuzzRequest } from './requests.ts';
import type { Answer } from './send.ts';

// biome-ignore lint/suspicious/noExplicitAny: an answer of any shape is judged.
type Json = any;

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** What no caller is told: frames of a stack, files, and the words of the database and of our libraries. */
const inner =
  /\bat \S+ \(|\bat (?:file:|node:|\/)\S*:\d+|node:internal|node_modules|\/(?:server|shared)\/\S+\.[tj]s|[\w-]+\.ts:\d|\bMongo\w*|E11000|BSON|CastError|ZodError|TRPCError|\b(?:Type|Range|Syntax|Reference)Error\b|Cannot read prop|is not a function|mongodb:\/\//;

const headerOf: Partial<Record<number, string>> = { 401: 'www-authenticate', 405: 'allow', 429: 'retry-after' };

function parse({ headers, body }: Answer): Json {
  must(/^application\/json\b/.test(headers['content-type'] ?? ''), 'an answer is JSON');
  try {
    return JSON.parse(body);
  } catch {
    throw new Error('an answer is valid JSON');
  }
}

/** The error of an envelope of either transport, as REST has it. */
function errorIn(
  { error }: Json,
  over: 'rest' | 'trpc' | 'either',
): { code: number; type: ErrorType; requestId: string; message: string } {
  const isTrpc = error.data !== undefined;
  must(over === 'either' || isTrpc === (over === 'trpc'), "an error has the transport's envelope");
  const { type, requestId, issues, details, httpStatus } = isTrpc ? error.data : error;
  const code = isTrpc ? httpStatus : error.code;
  const known = isTrpc ? ['message', 'code', 'data'] : ['code', 'type', 'message', 'requestId', 'issues', 'details'];
  must(
    Object.keys(error).every((field) => known.includes(field)),
    'an error has the fields of the envelope alone',
  );
  must(
    Object.hasOwn(errorStatus, type) && errorStatus[type as ErrorType] === code,
    'an error has a documented type and its status',
  );
  must(typeof error.message === 'string' && error.message !== '', 'an error has a message');
  must((type === 'validation_failed') === (issues !== undefined), 'what is wrong is told by field');
  must(details === undefined || typeof details === 'object', 'details are an object');
  must(!inner.test(JSON.stringify(error)), 'an error tells nothing of the inside');
  return { code, type, requestId, message: error.message };
}

/** Whether the request's page may be something else than JSON. */
const isPage = (path: string) => /^\/(docs|metrics)\b/.test(path);

/** Judges one answer, whatever was asked; tells the types of the errors in it, and `ok` for what is none. */
function judgeAnswer(
  answer: Answer,
  key: KeyKind,
  over: 'rest' | 'trpc' | 'either',
  path: string,
  isHead = false,
): string[] {
  const { status, headers, body } = answer;
  const requestId = headers['x-request-id'];
  must(status >= 200 && status < 500, `the status is no ${status}`);
  must(/^[A-Za-z0-9_.-]{1,64}$/.test(requestId ?? ''), 'an answer has a request id');
  must(
    ({} as { polluted?: unknown }).polluted === undefined && Object.keys(Object.prototype).length === 0,
    'no prototype is polluted',
  );
  const needed = headerOf[status];
  must(needed === undefined || headers[needed] !== undefined, `a ${status} has the header ${needed}`);
  if (status === 401) must(!isValid(key), 'a valid key is not refused');
  if (isHead) {
    must(body === '', 'an answer to HEAD has no body');
    return status < 400 ? ['ok'] : [];
  }
  if (status === 304 || (status < 400 && isPage(path))) return ['ok'];
  must(!/<!doctype|<html|<pre>/i.test(body), 'no answer is HTML');
  const content = parse(answer);
  const results: Json[] = Array.isArray(content) ? content : [content];
  const types = results.map((result) => {
    if (!result?.error) return 'ok';
    const error = errorIn(result, over);
    must(error.requestId === requestId, "an error has the answer's request id");
    if (error.type === 'rate_limited') must(!isValid(key), 'a valid key is not limited');
    if (!Array.isArray(content)) must(status === error.code, "an answer has its error's status");
    return error.type;
  });
  must(status < 400 || types.some((type) => type !== 'ok'), 'a refusal is an error');
  return types;
}

/** Judges the answer to a request; tells the types of the errors in it, and `ok` for what is none. */
export function judgeRequest(request: FuzzRequest, answer: Answer): string[] {
  const { path, method, key, isRefused, procedure } = request;
  const over = /^\/trpc(\/|\?|$)/.test(path) ? 'trpc' : 'rest';
  // What is too large for Node is refused before anybody looks at its path.
  const isUnread = answer.status === 431 || answer.body.includes('This is not a valid HTTP');
  const types = judgeAnswer(answer, key, isUnread ? 'either' : over, path, method === 'HEAD');
  const isAccepted = answer.status < 300;
  if (isAccepted && procedure !== 'page') must(isValid(key), 'a wrong key is refused');
  if (isAccepted) must(!isRefused, 'what the schema does not take is refused');
  return types;
}

/** Judges what a connection brought; tells as `judgeRequest` does, or `closed` where it brought nothing. */
export function judgeConversation(
  { parts, key, end }: Conversation,
  { answers, rest }: { answers: Answer[]; rest: Buffer },
): string[] {
  if (end === 'asked') {
    must(rest.length === 0, 'every answer is whole');
    must(answers.length > 0, 'there is an answer');
  }
  const path = parts.find((part) => part.includes('/docs')) ? '/docs' : '';
  const types = answers.flatMap((answer) => judgeAnswer(answer, key, 'either', path));
  return types.length > 0 ? types : ['closed'];
}
