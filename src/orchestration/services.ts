import { AsyncLocalStorage } from 'node:async_hooks';
import type { ConnectionLike } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { Method } from './methods.ts';
import type { UnaryCalls } from './transport/unary.ts';

const { WorkflowService } = proto.temporal.api.workflowservice.v1;
const { OperatorService } = proto.temporal.api.operatorservice.v1;
const { Health } = proto.grpc.health.v1;

/** For calls that set no limit themselves; none does. */
const fallbackMs = 10_000;

interface Scope {
  readonly deadline?: number | Date;
  readonly abortSignal?: AbortSignal;
}

type RpcImpl = Parameters<typeof WorkflowService.create>[0];

/** What bounds one call to Temporal. */
export interface CallLimits {
  /** Milliseconds from now. */
  readonly deadlineMs: number;
  /** Ends the call when the caller is gone. A native connection ignores this signal. */
  readonly signal?: AbortSignal | undefined;
}

/** A connection to Temporal that is not native. */
export interface Connection extends ConnectionLike {
  readonly healthService: proto.grpc.health.v1.Health;
  /** Whether the server lets no further call begin before another has ended. */
  isFull(): boolean;
  /** Calls a method within limits, without the scope that the SDK's clients need. */
  call<Request, Response>(method: Method<Request, Response>, request: Request, limits: CallLimits): Promise<Response>;
}

/** Temporal's services over our transport, with limits as the SDK's clients set them: by a scope around the calls. */
export function createServices(calls: UnaryCalls, isFull: () => boolean): Connection {
  const scope = new AsyncLocalStorage<Scope>();

  const rpcOf =
    (service: string): RpcImpl =>
    (method, message, callback) => {
      const { deadline, abortSignal: signal } = scope.getStore() ?? {};
      const deadlineMs = deadline === undefined ? fallbackMs : Math.max(1, Number(deadline) - Date.now());
      const path = `/${service}/${method.name}`;
      calls.call({ path, message, deadlineMs, signal }).then((answer) => callback(null, answer), callback);
    };

  return {
    isFull,
    call: async ({ path, encode, decode }, request, { deadlineMs, signal }) =>
      decode(await calls.call({ path, message: encode(request), deadlineMs, signal })),
    workflowService: WorkflowService.create(rpcOf('temporal.api.workflowservice.v1.WorkflowService')),
    operatorService: OperatorService.create(rpcOf('temporal.api.operatorservice.v1.OperatorService')),
    healthService: Health.create(rpcOf('grpc.health.v1.Health')),
    plugins: [],
    withDeadline: (deadline, work) => scope.run({ ...scope.getStore(), deadline }, work),
    withAbortSignal: (abortSignal, work) => scope.run({ ...scope.getStore(), abortSignal }, work),
    withMetadata: () => Promise.reject(new Error('the headers of this connection are fixed')),
    ensureConnected: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
