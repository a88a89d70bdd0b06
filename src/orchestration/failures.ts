import { status as grpcCode } from '@grpc/grpc-js';
import { isGrpcServiceError } from '@temporalio/client';
import { getGrpcStatusDetails } from '@temporalio/client/lib/helpers.js';
import proto from '@temporalio/proto';
import { Problem } from '../problems.ts';

export { grpcCode };

type GrpcError = Extract<Parameters<typeof getGrpcStatusDetails>[0], Error>;

/** The gRPC error inside whatever the SDK threw: its wrappers hide the code in their causes. */
export function grpcErrorOf(error: unknown): GrpcError | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (isGrpcServiceError(current)) return current;
  }
  return undefined;
}

/** The gRPC status code of a failure; undefined where no call failed. */
export const grpcCodeOf = (error: unknown): number | undefined => grpcErrorOf(error)?.code;

/**
 * Marks a failed call of which no attempt can have had an effect; the connection sets it. The last status alone does not
 * tell: a refusal may follow an attempt that arrived and whose answer was lost.
 */
export const withoutEffectMark = 'portico-without-effect';

/** The error that the SDK's clients expect of a call that failed. */
export function grpcErrorFrom(
  { code, details, metadata }: GrpcStatus,
  { isWithoutEffect: isMarked }: { isWithoutEffect: boolean },
): Error {
  if (isMarked) metadata.set(withoutEffectMark, '1');
  return Object.assign(new Error(`${code} ${grpcCode[code]}: ${details}`), { code, details, metadata });
}

/** True if no attempt of the call can have had an effect; false for calls over any other connection than ours. */
export const isWithoutEffect = (error: unknown): boolean =>
  (grpcErrorOf(error)?.metadata.get(withoutEffectMark).length ?? 0) > 0;

const refusals: ReadonlySet<number> = new Set([
  grpcCode.INVALID_ARGUMENT,
  grpcCode.NOT_FOUND,
  grpcCode.PERMISSION_DENIED,
  grpcCode.UNAUTHENTICATED,
  grpcCode.FAILED_PRECONDITION,
  grpcCode.OUT_OF_RANGE,
  grpcCode.UNIMPLEMENTED,
]);

/** Codes of failures that may be gone a moment later. A server that throttles is not asked again. */
const passing: ReadonlySet<number> = new Set([
  grpcCode.UNKNOWN,
  grpcCode.UNAVAILABLE,
  grpcCode.ABORTED,
  grpcCode.DATA_LOSS,
  grpcCode.OUT_OF_RANGE,
]);

/** True where another attempt of the same call may go well. */
export const isWorthRetrying = ({ code }: { readonly code: number }): boolean => passing.has(code);

/** True for a status with which the server says that it did not do what this one attempt asked for. */
export const isRefusal = (status: GrpcStatus): boolean => refusals.has(status.code) || isDefiniteLimit(status);

interface GrpcStatus extends Pick<GrpcError, 'details' | 'metadata'> {
  readonly code: number;
}

const { ResourceExhaustedCause, ResourceExhaustedScope } = proto.temporal.api.enums.v1;
const { RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT: tooOften, RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT: tooManyAtOnce } =
  ResourceExhaustedCause;

/**
 * True where a limit of the namespace refused the call before it was worked on. Any other RESOURCE_EXHAUSTED may be the
 * last of the server's own attempts, after one that had an effect.
 */
function isDefiniteLimit(status: GrpcStatus): boolean {
  const { cause, scope } = limitOf(status) ?? {};
  return (
    (cause === tooOften || cause === tooManyAtOnce) &&
    scope === ResourceExhaustedScope.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE
  );
}

/** True where ten actions of the instance are under way. The server gives it the cause of a namespace's limit as well. */
export function isInFlightCap(error: unknown): boolean {
  const grpcError = grpcErrorOf(error);
  return (
    grpcError !== undefined &&
    limitOf(grpcError)?.cause === tooManyAtOnce &&
    grpcError.details.includes('concurrent in-flight updates')
  );
}

function limitOf(status: GrpcStatus) {
  const exhausted: number = grpcCode.RESOURCE_EXHAUSTED;
  if (status.code !== exhausted) return undefined;
  const detail = detailOf(status, 'ResourceExhaustedFailure');
  return detail === undefined ? undefined : ResourceExhaustedFailure.decode(detail);
}

/** Runs what comes before a call is sent. What fails here had no effect, and the fault is ours. */
export async function beforeSending<T>(prepare: () => Promise<T>): Promise<T> {
  try {
    return await prepare();
  } catch (cause) {
    throw new Problem('internal', { effect: 'none', cause });
  }
}

const isDefect = (error: unknown): boolean =>
  [TypeError, RangeError, ReferenceError, SyntaxError].some((kind) => error instanceof kind);

/**
 * What a caller sees of a failed read: nothing was changed, whatever the code.
 * Temporal's own refusals of us (permission, namespace, arguments) are our fault: 503, never the caller's 401 or 403.
 */
export function readProblemOf(error: unknown): Problem {
  const code = grpcCodeOf(error);
  const timedOut = code === grpcCode.DEADLINE_EXCEEDED || code === grpcCode.CANCELLED;
  if (code === undefined && error instanceof Problem) return error;
  if (code === undefined && isDefect(error)) return new Problem('internal', { effect: 'none', cause: error });
  return new Problem(timedOut ? 'orchestration-timeout' : 'orchestration-unavailable', { cause: error });
}

/** What a caller sees of a failed mutation: `outcome-unknown` unless it certainly had no effect. */
export function mutationProblemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(isWithoutEffect(error) ? 'orchestration-unavailable' : 'outcome-unknown', { cause: error });
}

const { ResourceExhaustedFailure, WorkflowExecutionAlreadyStartedFailure } = proto.temporal.api.errordetails.v1;

/** The detail of the given message type that the server sent with an error. */
function detailOf({ metadata }: Pick<GrpcError, 'metadata'>, messageType: string): Uint8Array | undefined {
  const details = getGrpcStatusDetails({ metadata } as GrpcError) ?? [];
  return details.find(({ type_url: typeUrl }) => typeUrl?.endsWith(`.${messageType}`))?.value ?? undefined;
}

/**
 * The id of the creator's request, where a start was refused because the instance exists; undefined otherwise.
 * Empty where the server did not say.
 */
export function alreadyStartedRequestId(error: unknown): string | undefined {
  const grpcError = grpcErrorOf(error);
  if (grpcError?.code !== grpcCode.ALREADY_EXISTS) return undefined;
  const detail = detailOf(grpcError, 'WorkflowExecutionAlreadyStartedFailure');
  return detail === undefined ? '' : WorkflowExecutionAlreadyStartedFailure.decode(detail).startRequestId;
}

/** True where the server does not know the instance; false where it does not know our namespace. */
export function isInstanceMissing(error: unknown): boolean {
  const grpcError = grpcErrorOf(error);
  return grpcError?.code === grpcCode.NOT_FOUND && detailOf(grpcError, 'NamespaceNotFoundFailure') === undefined;
}
