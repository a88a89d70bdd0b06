import proto from '@temporalio/proto';
import { afterEach, expect, it } from 'vitest';
import { createConnection } from '../../src/orchestration/connection.ts';
import { supersededRunsOf } from '../../src/orchestration/superseded-runs.ts';
import { failure, type Reply, startFakeFrontend } from '../servers/fake-frontend.ts';

const { DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse, ListWorkflowExecutionsResponse } =
  proto.temporal.api.workflowservice.v1;
const {
  WORKFLOW_EXECUTION_STATUS_COMPLETED: completed,
  WORKFLOW_EXECUTION_STATUS_RUNNING: running,
  WORKFLOW_EXECUTION_STATUS_TERMINATED: terminated,
} = proto.temporal.api.enums.v1.WorkflowExecutionStatus;

const run = (workflowId: string, runId: string, status: proto.temporal.api.enums.v1.WorkflowExecutionStatus) => ({
  execution: { workflowId, runId },
  status,
});
type Run = ReturnType<typeof run>;

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

async function connectTo(options: { listed: Run[]; describe: (workflowId: string) => Reply }) {
  const counts = { list: 0, describe: 0, atOnce: 0, mostAtOnce: 0 };
  const frontend = await startFakeFrontend({
    ListWorkflowExecutions: () => {
      counts.list += 1;
      return ListWorkflowExecutionsResponse.encode({ executions: options.listed }).finish();
    },
    DescribeWorkflowExecution: async (request) => {
      counts.describe += 1;
      counts.mostAtOnce = Math.max(counts.mostAtOnce, (counts.atOnce += 1));
      await new Promise((resolve) => setImmediate(resolve));
      counts.atOnce -= 1;
      return options.describe(DescribeWorkflowExecutionRequest.decode(request).execution?.workflowId ?? '');
    },
  });
  const { connection, close } = createConnection({
    settings: { address: frontend.address, tls: false },
    observe: () => undefined,
  });
  releases.push(frontend.stop, close);
  const ask = async (runs: Run[]) => [
    ...(await supersededRunsOf({ connection, namespace: 'default' }, runs, { deadlineMs: 5_000 })),
  ];
  return { ask, counts };
}

const describedAs = (found: Run) => DescribeWorkflowExecutionResponse.encode({ workflowExecutionInfo: found }).finish();

it('a page of running instances costs nothing, one of closed instances one request', async () => {
  const runs = Array.from({ length: 100 }, (_, index) => run(`t/p/${index}`, `r-${index}`, completed));
  const { ask, counts } = await connectTo({ listed: runs, describe: () => failure('INTERNAL') });
  expect(await ask([run('t/p/x', 'r', running)])).toEqual([]);
  expect(counts).toMatchObject({ list: 0, describe: 0 });
  expect(await ask(runs)).toEqual([]);
  expect(counts).toMatchObject({ list: 1, describe: 0 });
});

it('a closed run is left out where its id has gone on in another, also one that is not on the page', async () => {
  const [old, anew] = [run('t/p/1', 'old', completed), run('t/p/1', 'new', completed)];
  const { ask, counts } = await connectTo({ listed: [anew, old], describe: () => describedAs(anew) });
  expect(await ask([anew, old])).toEqual(['old']);
  expect(counts.describe).toBe(1);
  expect(await ask([old])).toEqual(['old']);
  expect(await ask([anew])).toEqual([]);
});

it('a terminated run is looked up although its successor is not listed yet', async () => {
  const old = run('t/p/1', 'old', terminated);
  const { ask } = await connectTo({ listed: [old], describe: () => describedAs(run('t/p/1', 'new', running)) });
  expect(await ask([old])).toEqual(['old']);
});

it('a run that is gone is left out, and any other failure is one of the page', async () => {
  const runs = [run('t/p/gone', 'gone', terminated), run('t/p/there', 'there', terminated)];
  const { ask } = await connectTo({
    listed: runs,
    describe: (id) => (id === 't/p/gone' ? failure('NOT_FOUND') : describedAs(run(id, 'there', terminated))),
  });
  expect(await ask(runs)).toEqual(['gone']);
  const broken = await connectTo({ listed: runs, describe: () => failure('INTERNAL') });
  await expect(broken.ask(runs)).rejects.toThrow();
});

it('looks up ten at a time at most', async () => {
  const runs = Array.from({ length: 60 }, (_, index) => run(`t/p/${index}`, `r-${index}`, terminated));
  const { ask, counts } = await connectTo({
    listed: runs,
    describe: (id) => describedAs(run(id, id.replace('t/p/', 'r-'), terminated)),
  });
  expect(await ask(runs)).toEqual([]);
  expect(counts.describe).toBe(60);
  expect(counts.mostAtOnce).toBeLessThanOrEqual(10);
  expect(counts.mostAtOnce).toBeGreaterThan(1);
});
