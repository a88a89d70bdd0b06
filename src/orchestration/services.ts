import type { ConnectionLike } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { Method } from './methods.ts';
import type { UnaryCalls } from './transport/unary.ts';

const { WorkflowService } = proto.temporal.api.workflowservice.v1;
const { OperatorService } = proto.temporal.api.operatorservice.v1;
const { Health } = proto.grpc.health.v1;

type RpcImpl = Parameters<typeof WorkflowService.create>[0];

/** What bounds one call to Temporal. */
export interface CallLimits {
  /** Milliseconds from now. */
  readonly deadlineMs: number;
  /** Ends the call when the caller is gone. A native connection ignores this signal. */
  readonly signal?: AbortSignal | undefined;
}

/** Temporal's services, each call of which ends with the time of all of them. The SDK's clients can use them. */
export interface BoundServices extends ConnectionLike {
  readonly healthService: proto.grpc.health.v1.Health;
}

/** A connection to Temporal that is not native. */
export interface Connection {
  /** Whether the server lets no further call begin before another has ended. */
  isFull(): boolean;
  /** Calls a method within limits. */
  call<Request, Response>(method: Method<Request, Response>, request: Request, limits: CallLimits): Promise<Response>;
  /** Services for calls that together keep within the limits: their time runs from now. */
  within(limits: CallLimits): BoundServices;
}

/**
 * Temporal's services over our transport. Limits are bound to the services and not to a scope around the calls, as the
 * SDK's own connections have them: once one scope was used, Node.js below 24 makes each promise of the process dearer.
 */
export const createServices = (calls: UnaryCalls, isFull: () => boolean): Connection => ({
  isFull,
  call: async ({ path, encode, decode }, request, { deadlineMs, signal }) =>
    decode(await calls.call({ path, message: encode(request), deadlineMs, signal })),
  within: (limits) => bindServices(calls, limits),
});

function bindServices(calls: UnaryCalls, { deadlineMs, signal }: CallLimits): BoundServices {
  const endsAtMs = performance.now() + deadlineMs;
  const rpcOf =
    (service: string): RpcImpl =>
    (method, message, callback) => {
      const path = `/${service}/${method.name}`;
      const leftMs = Math.max(1, endsAtMs - performance.now());
      calls.call({ path, message, deadlineMs: leftMs, signal }).then((answer) => callback(null, answer), callback);
    };
  return {
    workflowService: WorkflowService.create(rpcOf('temporal.api.workflowservice.v1.WorkflowService')),
    operatorService: OperatorService.create(rpcOf('temporal.api.operatorservice.v1.OperatorService')),
    healthService: Health.create(rpcOf('grpc.health.v1.Health')),
    plugins: [],
    withDeadline: refuseScope,
    withAbortSignal: refuseScope,
    withMetadata: refuseScope,
    ensureConnected: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

const refuseScope = () => Promise.reject(new Error('the limits and headers of this connection are fixed'));
