import { once } from 'node:events';
import { constants, createServer, type ServerHttp2Session } from 'node:http2';
import proto from '@temporalio/proto';
import { NativeConnection } from '@temporalio/worker';
import { afterEach, describe, expect, it } from 'vitest';
import { createActions } from '../../src/orchestration/actions.ts';
import { createConnection } from '../../src/orchestration/connection.ts';
import { isWithoutEffect, readProblemOf } from '../../src/orchestration/failures.ts';
import { watchHealth } from '../../src/orchestration/health.ts';
import { createStarts, type EagerStarts } from '../../src/orchestration/start.ts';
import { Problem } from '../../src/problems.ts';
import { createEagerStarts } from '../../src/worker/eager-starts.ts';
import { freePort } from '../../src/worker/free-port.ts';
import { probesV1 } from '../fixtures/probes.ts';
import { failure, inTurn, type Reply, startFakeFrontend } from '../servers/fake-frontend.ts';

const { StartWorkflowExecutionResponse, UpdateWorkflowExecutionResponse } = proto.temporal.api.workflowservice.v1;
const { ResourceExhaustedFailure } = proto.temporal.api.errordetails.v1;
const { ResourceExhaustedCause, ResourceExhaustedScope, UpdateWorkflowExecutionLifecycleStage } =
  proto.temporal.api.enums.v1;
const deadlines = { startMs: 5_000, readMs: 5_000, actionMs: 5_000 };
const address = { definition: probesV1, tenant: 'acme', key: 'p-1' };

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

async function connectTo(method: string, replies: [Reply, ...Reply[]]) {
  const turns = inTurn(...replies);
  const frontend = await startFakeFrontend({ [method]: turns.next });
  const { connection, close } = createConnection({
    settings: { address: frontend.address, tls: false },
    observe: () => undefined,
  });
  releases.push(frontend.stop, close);
  return { frontend, connection, namespace: 'default', deadlines, attempts: turns.count };
}

const startOver = (dependencies: Awaited<ReturnType<typeof connectTo>> & { eagerStarts?: EagerStarts }) =>
  createStarts(dependencies)
    .start({ ...address, body: {}, input: {}, startedBy: { iss: 'i', sub: 's' } })
    .then(
      ({ kind }): unknown => kind,
      (error: unknown) => error,
    );

const refusals = ['PERMISSION_DENIED', 'NOT_FOUND', 'UNIMPLEMENTED', 'OUT_OF_RANGE'] as const;

/** A server that takes a request whole and then cuts its stream, as one does that is overloaded. */
async function connectToCutter(rstCode: number) {
  let arrived = 0;
  const server = createServer().on('stream', (stream) => {
    stream.on('error', () => undefined).resume();
    stream.once('end', () => {
      arrived += 1;
      stream.close(rstCode);
    });
  });
  const sessions: ServerHttp2Session[] = [];
  server.on('session', (session) => sessions.push(session));
  const port = await freePort();
  await once(server.listen(port, '127.0.0.1'), 'listening');
  const { connection, close } = createConnection({
    settings: { address: `127.0.0.1:${port}`, tls: false },
    observe: () => undefined,
  });
  releases.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  }, close);
  // What is asked first of all is answered alike.
  return { connection, namespace: 'default', attempts: () => arrived };
}

it.each(['NGHTTP2_ENHANCE_YOUR_CALM', 'NGHTTP2_INADEQUATE_SECURITY'] as const)(
  'a start whose stream was cut with %s after it had arrived is unknown',
  async (code) => {
    const server = await connectToCutter(constants[code]);
    const call = server.connection
      .within({ deadlineMs: 10_000 })
      .workflowService.startWorkflowExecution({ namespace: 'default' });
    const failed = await call.catch((error: unknown) => error);
    expect(server.attempts()).toBeGreaterThan(0);
    expect(isWithoutEffect(failed)).toBe(false);
  },
);

describe('a start that the server refuses', () => {
  it.each(refusals)('with %s had no effect', async (code) => {
    const server = await connectTo('StartWorkflowExecution', [failure(code)]);
    expect(await startOver(server)).toMatchObject({ code: 'orchestration-unavailable', kind: { effect: 'none' } });
  });

  it.each(refusals)('with %s after an attempt that may have arrived is unknown', async (code) => {
    const server = await connectTo('StartWorkflowExecution', [failure('UNAVAILABLE'), failure(code)]);
    expect(await startOver(server)).toBe('unknown');
    expect(server.attempts()).toBeGreaterThan(1);
  });

  it.each([
    ['RPS_LIMIT', 'NAMESPACE', 'orchestration-unavailable'],
    ['CONCURRENT_LIMIT', 'NAMESPACE', 'orchestration-unavailable'],
    ['RPS_LIMIT', 'SYSTEM', 'unknown'],
    ['PERSISTENCE_LIMIT', 'NAMESPACE', 'unknown'],
    ['SYSTEM_OVERLOADED', 'SYSTEM', 'unknown'],
    ['BUSY_WORKFLOW', 'NAMESPACE', 'unknown'],
    [undefined, undefined, 'unknown'],
  ] as const)('for the limit %s of %s is not asked again, and is %s', async (cause, scope, verdict) => {
    const server = await connectTo('StartWorkflowExecution', [exhausted(cause, scope)]);
    const told = await startOver(server);
    expect(told instanceof Problem ? told.code : told).toBe(verdict);
    if (told instanceof Problem) expect(told.kind).toMatchObject({ status: 503, effect: 'none', retryAfterMs: 2_000 });
    expect(server.attempts()).toBe(1);
  });

  it('for a definite limit after an attempt that may have arrived is unknown', async () => {
    const replies = [failure('UNAVAILABLE'), exhausted('RPS_LIMIT', 'NAMESPACE')] as const;
    expect(await startOver(await connectTo('StartWorkflowExecution', [...replies]))).toBe('unknown');
  });

  it('and then takes is created', async () => {
    const created = StartWorkflowExecutionResponse.encode({ runId: 'r' }).finish();
    const server = await connectTo('StartWorkflowExecution', [failure('UNAVAILABLE'), created]);
    expect(await startOver(server)).toBe('created');
  });

  it.each([[['PERMISSION_DENIED']], [['UNAVAILABLE', 'PERMISSION_DENIED']]] as const)(
    'over eager starts with %j is unknown, whatever the last attempt was told',
    async (codes) => {
      const [first, ...rest] = codes.map((code) => failure(code));
      if (first === undefined) throw new Error('no code');
      const server = await connectTo('StartWorkflowExecution', [first, ...rest]);
      const native = await NativeConnection.connect({ address: server.frontend.address });
      const eagerStarts = createEagerStarts({ observe: () => undefined, count: () => undefined });
      const health = watchHealth(native);
      eagerStarts.open({ connection: native, health, taskQueues: ['probes'] });
      releases.push(() => native.close(), health.stop, eagerStarts.shut);
      await expect.poll(() => eagerStarts.isOpen('probes')).toBe(true);
      expect(await startOver({ ...server, eagerStarts })).toBe('unknown');
      expect(server.attempts()).toBe(codes.length);
    },
  );
});

/** RESOURCE_EXHAUSTED as the server explains it; without explanation where there is no cause. */
function exhausted(
  cause?: 'RPS_LIMIT' | 'CONCURRENT_LIMIT' | 'PERSISTENCE_LIMIT' | 'SYSTEM_OVERLOADED' | 'BUSY_WORKFLOW',
  scope: 'NAMESPACE' | 'SYSTEM' = 'NAMESPACE',
  message = 'canary',
) {
  if (cause === undefined) return failure('RESOURCE_EXHAUSTED');
  const said = ResourceExhaustedFailure.encode({
    cause: ResourceExhaustedCause[`RESOURCE_EXHAUSTED_CAUSE_${cause}`],
    scope: ResourceExhaustedScope[`RESOURCE_EXHAUSTED_SCOPE_${scope}`],
  }).finish();
  return failure('RESOURCE_EXHAUSTED', message, 'temporal.api.errordetails.v1.ResourceExhaustedFailure', said);
}

describe('what is never sent', () => {
  const actor = { iss: 'i', sub: 's' };
  const neverSent = { code: 'internal', options: { effect: 'none' } };

  it.each([
    ['an input that is no JSON', { key: 'p-1', input: { size: 1n } }],
    ['an id that is too long', { key: 'p'.repeat(300), input: {} }],
  ])('is a fault of ours without effect: %s', async (_name, { key, input }) => {
    const server = await connectTo('StartWorkflowExecution', [failure('UNAVAILABLE')]);
    const call = { ...address, key, body: {}, input };
    const outcome = (asked: Promise<unknown>) => asked.catch((error: unknown) => error);
    expect(await outcome(createStarts(server).start({ ...call, startedBy: actor }))).toMatchObject(neverSent);
    expect(await outcome(createActions(server).act({ ...call, action: 'ping', actor }))).toMatchObject(neverSent);
    expect(server.attempts()).toBe(0);
  });

  it('is no failure of the engine where a read met a fault of ours', () => {
    expect(readProblemOf(new TypeError('a defect'))).toMatchObject(neverSent);
    expect(readProblemOf(new Error('no connection'))).toMatchObject({ code: 'orchestration-unavailable' });
  });
});

const notReady = failure(
  'FAILED_PRECONDITION',
  'Unable to perform workflow execution update due to Workflow Task in failed state.',
  'temporal.api.errordetails.v1.WorkflowNotReadyFailure',
);
const full = failure(
  'FAILED_PRECONDITION',
  'The limit on the total number of distinct updates in this workflow has been reached (2000). Make sure …',
);

const failedWith = (type: string, message = 'canary'): Uint8Array =>
  UpdateWorkflowExecutionResponse.encode({
    stage: UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED,
    updateRef: { updateId: 'ping.k', workflowExecution: { workflowId: 'acme/probes/p-1', runId: 'r' } },
    outcome: { failure: { message, applicationFailureInfo: { type } } },
  }).finish();

const accepted = UpdateWorkflowExecutionResponse.encode({
  stage: UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED,
  updateRef: { updateId: 'ping.k', workflowExecution: { workflowId: 'acme/probes/p-1', runId: 'r' } },
}).finish();

const tooManyAtOnce = exhausted(
  'CONCURRENT_LIMIT',
  'NAMESPACE',
  'limit on number of concurrent in-flight updates has been reached (10)',
);

describe('an action that fails', () => {
  it.each<[string, [Reply, ...Reply[]], object]>([
    ['for too many at once', [tooManyAtOnce], { code: 'rate-limited' }],
    [
      'for too many at once after an attempt that may have arrived',
      [failure('UNAVAILABLE'), tooManyAtOnce],
      { code: 'outcome-unknown' },
    ],
    [
      'for a limit of the namespace',
      [exhausted('RPS_LIMIT', 'NAMESPACE')],
      { code: 'orchestration-unavailable', kind: { status: 503 } },
    ],
    ['for a limit that says nothing', [failure('RESOURCE_EXHAUSTED')], { code: 'outcome-unknown' }],
    ['for too many in all', [full], { code: 'action-not-allowed' }],
    ['for too many in all after …', [failure('UNAVAILABLE'), full], { code: 'outcome-unknown' }],
    ['because the code of the instance fails', [notReady], { code: 'orchestration-unavailable' }],
    ['for a precondition nobody knows', [failure('FAILED_PRECONDITION')], { code: 'orchestration-unavailable' }],
    ['with a refusal of ours', [failedWith('second-person-required')], { code: 'second-person-required' }],
    [
      'because the worker does not know it',
      [failedWith('', 'No registered handler for update: ping')],
      { code: 'orchestration-unavailable' },
    ],
    ['for a reason of its own', [failedWith('SomeFailure')], { code: 'action-failed', kind: { effect: 'unknown' } }],
    ['for no reason that it gives', [failedWith('')], { code: 'action-failed', kind: { retryable: false } }],
    ['because no worker took it', [failedWith('UnprocessedUpdate')], { code: 'orchestration-unavailable' }],
    [
      'because the instance closed on it',
      [failedWith('AcceptedUpdateCompletedWorkflow')],
      { code: 'too-late', options: { effect: 'unknown' } },
    ],
    [
      'after it may have closed the instance, where nobody can look',
      [failure('UNAVAILABLE'), failure('NOT_FOUND')],
      { code: 'outcome-unknown' },
    ],
    // Nobody answers the poll for its result: the method is not implemented.
    ['once it was accepted', [accepted], { code: 'outcome-unknown' }],
  ])('%s says so', async (_name, replies, problem) => {
    const server = await connectTo('UpdateWorkflowExecution', replies);
    const actor = { iss: 'i', sub: 's' };
    const failed = await createActions(server)
      .act({ ...address, action: 'ping', body: {}, input: {}, actor, idempotencyKey: 'k' })
      .catch((error: unknown) => error);
    expect(failed).toMatchObject(problem);
    expect(failed).not.toHaveProperty('message', 'canary');
  });
});
