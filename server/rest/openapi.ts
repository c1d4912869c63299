import { type ErrorType, errorSchema, errorStatus } from '@counterfoil/shared/errors';
import { ExactJson } from '@counterfoil/shared/json';
import type { Scope } from '@counterfoil/shared/keys';
import type { AnyTRPCRouter } from '@trpc/server';
import { forEachOpenApiProcedure, generateOpenApiDocument, type OpenAPIObject } from 'trpc-openapi';
import { z } from 'zod';
import { createSchema } from 'zod-openapi';
import { errorBody } from '../http/respond.ts';
import packageJson from '../package.json' with { type: 'json' };
import type { RouteMeta } from '../trpc.ts';
import { exampleErrors } from './example-errors.ts';

const description = `Stores and serves the support tickets of Discord servers.

Every route needs a key, as \`Authorization: <key>\` or \`Authorization: Bearer <key>\`: the two are equal. Every command
is safe to repeat, but for \`keys.create\` and \`keys.rotate\`: one whose intent already holds answers 200 with \`changed: false\` (\`created: false\`). Every answer
carries \`X-Request-Id\`; send one of your own (1 to 64 of \`A-Z a-z 0-9 _ . -\`) to find it in the server's log. Every
error has the same envelope, and a \`type\` to tell it by. HEAD works where GET does; an unknown path is 404
\`route_not_found\`. Texts are well-formed Unicode, and are compared by exact code points.

The same procedures answer to tRPC at \`/trpc\`. Without a key: \`GET /health/live\`, \`GET /health/ready\`.`;

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: '`Authorization: Bearer <key>`' },
  plain: { type: 'apiKey', in: 'header', name: 'Authorization', description: '`Authorization: <key>`' },
} as const;

const headers = {
  'X-Request-Id': {
    required: true,
    description: "The request's own id, or a new one.",
    schema: { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,64}$' },
  },
  'WWW-Authenticate': { required: true, schema: { type: 'string', const: 'Bearer' } },
  Allow: { required: true, description: 'The methods of this route.', schema: { type: 'string' } },
  'RateLimit-Policy': {
    description: 'Where the key is limited: calls of a class in a window of seconds, such as `"reads";q=500;w=10`.',
    schema: { type: 'string' },
  },
  RateLimit: {
    description:
      'Where the key is limited: calls that are left, and seconds until the next window: `"reads";r=42;t=3`.',
    schema: { type: 'string' },
  },
  'Retry-After': { required: true, description: 'Seconds.', schema: { type: 'string', pattern: '^[0-9]+$' } },
} as const;

const limited = ['RateLimit', 'RateLimit-Policy'] as const;
/** What answers carry besides X-Request-Id, by their status. */
const statusHeaders: Record<number, readonly (keyof typeof headers)[]> = {
  ...Object.fromEntries([200, 400, 403, 404, 409, 413, 415].map((status) => [status, limited])),
  401: ['WWW-Authenticate'],
  405: ['Allow'],
  429: [...limited, 'Retry-After'],
  503: [...limited, 'Retry-After'],
};

function headersOf(status: number) {
  const names = ['X-Request-Id', ...(statusHeaders[status] ?? [])];
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** What a procedure's metadata and shape say of the errors that it may answer with. */
interface Operation {
  method: string;
  scope: Scope;
  takesGuild: boolean;
  own: readonly ErrorType[];
}

function errorsOf({ method, scope, takesGuild, own }: Operation): ErrorType[] {
  const command = method === 'POST';
  return [
    'validation_failed',
    'invalid_encoding',
    ...(command ? (['invalid_json'] as const) : []),
    'missing_key',
    'invalid_key',
    ...(scope === 'read' ? [] : (['insufficient_scope'] as const)),
    ...(takesGuild ? (['guild_not_allowed'] as const) : []),
    ...own,
    'rate_limited',
    'method_not_allowed',
    'request_timeout',
    ...(command ? (['body_too_large', 'unsupported_media_type'] as const) : []),
    'headers_too_large',
    'internal',
    'overloaded',
    'database_unavailable',
    ...(command ? (['outcome_unknown'] as const) : []),
  ];
}

function errorResponse(status: number, types: ErrorType[]) {
  const examples = types.map((type) => [type, { $ref: `#/components/examples/${type}` }]);
  return {
    description: types.map((type) => `\`${type}\``).join(', '),
    headers: headersOf(status),
    content: {
      'application/json': {
        schema: { oneOf: types.map((type) => ({ $ref: `#/components/schemas/${type}` })) },
        examples: Object.fromEntries(examples),
      },
    },
  };
}

function errorResponses(operation: Operation) {
  const types = errorsOf(operation);
  const statuses = [...new Set(types.map((type) => errorStatus[type]))].sort();
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      errorResponse(
        status,
        types.filter((type) => errorStatus[type] === status),
      ),
    ]),
  );
}

/** The router's metadata: its type is RouteMeta, which trpc-openapi does not hand on. */
function ownMeta(meta: object): { scope: Scope; errors: readonly ErrorType[] } {
  const { scope, errors = [] } = meta as RouteMeta;
  if (!scope) throw new Error('a procedure has no scope: make it with readProcedure, writeProcedure or adminProcedure');
  return { scope, errors };
}

/** The one input of a procedure, which its type demands. */
function inputOf(inputs: readonly unknown[]): z.ZodObject {
  const [input] = inputs;
  if (!(input instanceof z.ZodObject)) throw new Error('the input of a procedure is an object');
  return input;
}

const errorComponents = {
  schemas: Object.fromEntries(exampleErrors.map(({ type }) => [type, errorSchema(type)])),
  examples: Object.fromEntries(
    exampleErrors.map((error) => [error.type, { value: errorBody(error, '2c1d4e8a-7b36-4f05-9e2d-8a6b5c4d3e2f') }]),
  ),
};

/** The OpenAPI 3.1 document of every procedure with openapi metadata: its own inputs and outputs, and our errors. */
export function createOpenApiDocument(router: AnyTRPCRouter): OpenAPIObject {
  const document = generateOpenApiDocument(router, {
    title: 'Counterfoil',
    version: packageJson.version,
    description,
    baseUrl: '/',
    license: { name: 'MIT', identifier: 'MIT' },
    securitySchemes,
    defs: { ExactJson, ...errorComponents.schemas },
  });
  // What begins so are trpc-openapi's own errors: this service answers with none of them.
  const schemas = Object.entries(document.components?.schemas ?? {}).filter(([name]) => !name.startsWith('error.'));
  document.components = {
    ...document.components,
    schemas: Object.fromEntries(schemas),
    headers,
    examples: errorComponents.examples,
  };
  forEachOpenApiProcedure(router._def.procedures, ({ path: name, procedure, meta }) => {
    const { method, path, description } = meta.openapi;
    const operation = document.paths?.[path]?.[method === 'POST' ? 'post' : 'get'];
    if (!operation) throw new Error(`${name} is missing in the generated document`);
    const { scope, errors } = ownMeta(meta);
    const input = inputOf(procedure._def.inputs);
    operation.operationId = name;
    operation.description = [description, `Needs a key of scope \`${scope}\`.`].filter(Boolean).join(' ');
    // trpc-openapi would leave a refined input's rules out, and that it is strict.
    if (operation.requestBody) {
      const { schema } = createSchema(input, { io: 'input' });
      operation.requestBody = { required: true, content: { 'application/json': { schema } } };
    }
    operation.responses = {
      200: { ...operation.responses?.['200'], description: 'Success', headers: headersOf(200) },
      ...errorResponses({ method, scope, takesGuild: 'guildId' in input.shape, own: errors }),
    };
  });
  return document;
}
