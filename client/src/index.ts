export { PorticoProblem, PorticoUnreachable, type ProblemBody, type ProblemCode, type RetryVerdict } from './errors.ts';
export type { CloudEvent, Events } from './events.ts';
export { createPortico, type Portico } from './portico.ts';
export type { PorticoOptions } from './requests.ts';
export type { RetryOptions } from './retry.ts';
export type { components, operations } from './schema.ts';
export type { TokenSource } from './tokens.ts';
export type { BatchAnswer, BatchItem, BodyOf as InputOf, CallOptions, Listing, ResultOptions } from './types.ts';
