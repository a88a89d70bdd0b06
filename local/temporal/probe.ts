import { status } from '@grpc/grpc-js';
import { Connection, isGrpcServiceError } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { searchAttributes } from '../../src/orchestration/search-attributes.ts';

/**
 * The id that a server keeps in its database and thus through restarts; undefined unless it answers within
 * `timeoutMs` that it serves, and knows the search attributes.
 */
export const clusterIdAt = (address: string, { timeoutMs }: { timeoutMs: number }): Promise<string | undefined> =>
  withConnection(address, timeoutMs, async ({ healthService, workflowService, operatorService }) => {
    const health: { status: number } = await healthService.check({
      service: 'temporal.api.workflowservice.v1.WorkflowService',
    });
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace: 'default' });
    if (
      health.status !== serving ||
      Object.keys(searchAttributes).some((name) => customAttributes[name] === undefined)
    ) {
      return undefined;
    }
    const { clusterId } = await workflowService.getClusterInfo({});
    return clusterId;
  }).catch(() => undefined);

/** Lets the namespace keep what has ended for so many days; the development server's own default is one day. */
export const keepForDays = (address: string, days: number): Promise<void> =>
  withConnection(address, 30_000, async ({ workflowService }) => {
    const { config } = await workflowService.describeNamespace({ namespace: 'default' });
    if (Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) === days * 86_400) return;
    await workflowService.updateNamespace({
      namespace: 'default',
      config: { workflowExecutionRetentionTtl: msToTs(`${days} days`) },
    });
  });

/**
 * Who listens at an address that is taken: the cluster with this id, another program, or one that says nothing within
 * `timeoutMs`.
 */
export const listenerAt = (
  address: string,
  clusterId: string | undefined,
  { timeoutMs }: { timeoutMs: number },
): Promise<'ours' | 'another' | 'mute'> =>
  withConnection(address, timeoutMs, ({ workflowService }) => workflowService.getClusterInfo({})).then(
    (info) => (clusterId === undefined || info.clusterId === clusterId ? 'ours' : 'another'),
    (error: unknown) => (isGrpcServiceError(error) && error.code === status.DEADLINE_EXCEEDED ? 'mute' : 'another'),
  );

/** Whether a server says that its database is interrupted. False where it is away, or silent for `timeoutMs`. */
export const isInterruptedAt = (address: string, { timeoutMs }: { timeoutMs: number }): Promise<boolean> =>
  withConnection(address, timeoutMs, ({ workflowService }) =>
    workflowService.describeNamespace({ namespace: 'default' }),
  ).then(
    () => false,
    (error: unknown) => isGrpcServiceError(error) && saysInterrupted(error.details),
  );

/** SQLite's own words for its result code 9, as the server passes them on. */
export const saysInterrupted = (details: string): boolean => /\binterrupted \(9\)/.test(details);

// gRPC's ServingStatus.
const serving = 1;

async function withConnection<T>(
  address: string,
  timeoutMs: number,
  ask: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = Connection.lazy({ address, tls: false, interceptors: [] });
  try {
    return await connection.withDeadline(Date.now() + timeoutMs, () => ask(connection));
  } finally {
    await connection.close();
  }
}
