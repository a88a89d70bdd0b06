import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { msToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { expect, it, onTestFinished } from 'vitest';
import { clusterIdAt } from '../../local/temporal/probe.ts';
import { searchAttributes } from '../../src/orchestration/search-attributes.ts';
import { registerCommand } from '../../src/orchestration/search-attributes.ts';
import { unique } from '../harness/portico.ts';
import { connectOperator } from '../harness/temporal-operator.ts';
import { startTemporalServer, temporalAddress } from './temporal.ts';

const timeoutMs = 10_000;

it('a server of a test’s own can be killed and comes back on its port with what it knew', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-own-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const server = await startTemporalServer({ databaseFile: join(folder, 'temporal.db') });
  onTestFinished(() => server.stop());
  const clusterId = await clusterIdAt(server.address, { timeoutMs });
  expect(clusterId).toBeDefined();
  expect(server.address).not.toBe(temporalAddress());

  const pid = server.pid();
  await server.kill();
  await expect(clusterIdAt(server.address, { timeoutMs })).resolves.toBeUndefined();
  await server.restart();
  expect(server.pid()).not.toBe(pid);
  await expect(clusterIdAt(server.address, { timeoutMs })).resolves.toBe(clusterId);
});

it('the servers we start have the search attributes that Portico registers elsewhere', () => {
  const named = [...registerCommand.matchAll(/--name (\w+) --type (\w+)/g)].map(([, name, type]) => [name, type]);
  expect(Object.fromEntries(named)).toEqual(searchAttributes);
});

it('an activity comes with the answer to the workflow task that orders it', async () => {
  const { connection, close } = await connectOperator(temporalAddress());
  onTestFinished(close);
  const { workflowService: service } = connection;
  const [namespace, name] = ['default', unique('eager')];
  const [workflowType, taskQueue] = [{ name }, { name }];
  await service.startWorkflowExecution({ namespace, workflowId: name, requestId: name, workflowType, taskQueue });
  const poll = () => service.pollWorkflowTaskQueue({ namespace, taskQueue });
  const { taskToken } = await connection.withDeadline(Date.now() + timeoutMs, poll);
  const order = { activityId: 'only', activityType: { name }, taskQueue, startToCloseTimeout: msToTs('1 minute') };
  const commandType = proto.temporal.api.enums.v1.CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK;
  const scheduleActivityTaskCommandAttributes = { ...order, requestEagerExecution: true };
  const commands = [{ commandType, scheduleActivityTaskCommandAttributes }];
  const { activityTasks } = await service.respondWorkflowTaskCompleted({ namespace, taskToken, commands });
  expect(activityTasks.map(({ activityId }) => activityId)).toEqual(['only']);
});

it('a server is not taken for ours when another has the port, however well it answers', async () => {
  const port = Number(temporalAddress().split(':')[1]);
  await expect(startTemporalServer({ port })).rejects.toThrow(/did not start[^]*address already in use/);
});
