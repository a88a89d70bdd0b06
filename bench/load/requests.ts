import type { RawRequest } from './http-client.ts';
import { tokenOfUnknownKey } from './unknown-key.ts';

/** What the requests of a run have in common. */
export interface RequestContext {
  readonly token: string;
  /** Begins every key, so that no run meets the instances of another. */
  readonly prefix: string;
  /** The keys that `again`, `mismatch` and `read` take in turn; they were started before. */
  readonly knownKeys: number;
}

export type RequestKind = keyof typeof kinds;

/** The payload of every start by every peer. */
export const grantOf = (userId: string) => ({ userId, name: 'Ann Example', locale: 'en' });

/** A transfer between the accounts `a` and `b`, below every limit. */
export const transferOf = (transferId: string) => ({
  transferId,
  from: 'a',
  to: 'b',
  amount: { currency: 'EUR', minor: '1' },
});

export const freshKey = ({ prefix }: RequestContext, index: number): string => `${prefix}-${index}`;
export const knownKey = ({ prefix, knownKeys }: RequestContext, index: number): string =>
  `${prefix}-known-${index % knownKeys}`;

const path = '/v1/user-grants';

/** How many starts a batch has. */
export const batchSize = 50;

/** Each kind of request, as text for the wire, with the status that its answer must have. */
export const kinds = {
  /** May be shed: on a machine that others keep busy that is no failure, and none of the rate. */
  start: (context: RequestContext, index: number) => ({ ...grant(context, freshKey(context, index)), or: [429, 503] }),
  /** As many starts by one request. */
  batch: (context: RequestContext, index: number) => ({
    ...post({
      ...{ token: context.token, status: 200, path: '/v1/batch' },
      body: Array.from({ length: batchSize }, (_, n) => ({
        operation: 'startUserGrant',
        body: grantOf(`${freshKey(context, index)}-${n}`),
      })),
    }),
    or: [503],
  }),
  /** A start that waits for its result. */
  result: (context: RequestContext, index: number) =>
    post({ ...context, status: 200, body: grantOf(freshKey(context, index)), headers: ['prefer: wait=20'] }),
  /** Starts the known keys: `index` runs from 0. */
  know: (context: RequestContext, index: number) => grant(context, knownKey(context, index)),
  again: (context: RequestContext, index: number) => grant(context, knownKey(context, index)),
  /** The same of an instance that has ended. */
  replay: (context: RequestContext, index: number) =>
    post({ ...context, status: 200, body: grantOf(knownKey(context, index)) }),
  mismatch: (context: RequestContext, index: number) =>
    post({ ...context, status: 422, body: { ...grantOf(knownKey(context, index)), name: 'Another' } }),
  transfer: ({ token, ...context }: RequestContext, index: number) =>
    post({
      ...{ token, status: 200, path: '/v1/transfers', headers: ['prefer: wait=20'] },
      body: transferOf(freshKey({ token, ...context }, index)),
    }),
  /** A delayed task that nobody delivers within a run. */
  delay: (context: RequestContext, index: number) => delayed(context, index, { after: 'PT1H' }),
  'delay-local': (context: RequestContext, index: number) =>
    delayed(context, index, { at: { local: '2028-03-26T02:30', zone: 'Europe/Vienna' } }),
  /** A start by Temporal's own HTTP API, with the payload that the others send. */
  own: (context: RequestContext, index: number) => {
    const key = freshKey(context, index);
    const actor = { iss: 'bench', sub: 'bench' };
    return post({
      status: 200,
      path: `/api/v1/namespaces/default/workflows/bench:user-grants:${key}`,
      body: {
        workflowType: { name: 'userGrants' },
        taskQueue: { name: 'people' },
        input: [
          { input: grantOf(key), context: { tenant: 'bench', key, generation: 1, startedBy: actor, fingerprint: '' } },
        ],
        memo: { fields: { fingerprint: '', startedAt: new Date().toISOString(), startedBy: actor } },
        searchAttributes: { indexedFields: { PorticoTenant: 'bench', PorticoProcess: 'user-grants' } },
        workflowIdReusePolicy: 'WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE',
      },
    });
  },
  /** A start of as many bytes as a process may take where it is told to. */
  large: (context: RequestContext, index: number) => {
    const body = JSON.stringify(grantOf(freshKey(context, index)));
    return { ...post({ ...context, status: 202, body: body.padEnd(65_536) }), or: [429, 503] };
  },
  /** Refused because its key may be too new to be known, or, now and then after the keys were fetched, as unknown. */
  young: (_context: RequestContext) => ({
    ...post({ token: tokenOfUnknownKey(), status: 503, body: grantOf('refused') }),
    or: [401],
  }),
  read: (context: RequestContext, index: number) => get(context.token, `${path}/${knownKey(context, index)}`),
} satisfies Record<string, (context: RequestContext, index: number) => RawRequest>;

const grant = ({ token }: RequestContext, userId: string): RawRequest =>
  post({ token, status: 202, body: grantOf(userId) });

/** To an address that is judged by itself: no name is looked up. */
const delayed = (context: RequestContext, index: number, due: object): RawRequest => ({
  ...post({
    token: context.token,
    ...{ status: 202, path: '/v1/delayed-tasks', headers: [`idempotency-key: ${freshKey(context, index)}`] },
    body: { ...due, deliver: { webhook: { url: 'https://93.184.215.14/hook' } }, payload: { n: 1 } },
  }),
  or: [429, 503],
});

export const get = (token: string, target: string): RawRequest => ({
  status: 200,
  text: `GET ${target} HTTP/1.1\r\nhost: portico\r\nauthorization: Bearer ${token}\r\n\r\n`,
});

/** A POST as a usual client sends it. A text is sent as it is. */
export function post(request: {
  readonly token?: string;
  readonly status: number;
  readonly body: unknown;
  readonly path?: string;
  readonly headers?: readonly string[];
}): RawRequest {
  const { token, status, body, headers = [] } = request;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const lines = [
    `POST ${request.path ?? path} HTTP/1.1`,
    'host: portico',
    ...(token === undefined ? [] : [`authorization: Bearer ${token}`]),
    'content-type: application/json',
    `content-length: ${text.length}`,
    ...headers,
  ];
  return { status, text: `${lines.join('\r\n')}\r\n\r\n${text}` };
}
