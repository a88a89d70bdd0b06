import type { RawRequest } from './http-client.ts';

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

export const freshKey = ({ prefix }: RequestContext, index: number): string => `${prefix}-${index}`;
export const knownKey = ({ prefix, knownKeys }: RequestContext, index: number): string =>
  `${prefix}-known-${index % knownKeys}`;

const path = '/v1/user-grants';

/** Each kind of request, as text for the wire, with the status that its answer must have. */
export const kinds = {
  start: (context: RequestContext, index: number) => post(context, 202, grantOf(freshKey(context, index))),
  /** Starts the known keys: `index` runs from 0. */
  know: (context: RequestContext, index: number) => post(context, 202, grantOf(knownKey(context, index))),
  again: (context: RequestContext, index: number) => post(context, 202, grantOf(knownKey(context, index))),
  mismatch: (context: RequestContext, index: number) =>
    post(context, 422, { ...grantOf(knownKey(context, index)), name: 'Another' }),
  read: (context: RequestContext, index: number) => ({
    status: 200,
    text: `GET ${path}/${knownKey(context, index)} HTTP/1.1\r\nhost: portico\r\nauthorization: Bearer ${context.token}\r\n\r\n`,
  }),
} satisfies Record<string, (context: RequestContext, index: number) => RawRequest>;

/** A POST as a usual client sends it. */
function post({ token }: RequestContext, status: number, body: unknown): RawRequest {
  const text = JSON.stringify(body);
  return {
    status,
    text: `POST ${path} HTTP/1.1\r\nhost: portico\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
  };
}
