import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { startOnLeash } from '../../local/leash.ts';
import { host } from '../../local/temporal/dev-server.ts';
import { grpcCode, grpcCodeOf } from '../../src/orchestration/failures.ts';
import { indexedTypes, probeQuery } from '../../src/orchestration/search-attributes.ts';
import { retryUntilDone } from '../../src/timing/retry.ts';
import { freePort } from '../../src/worker/free-port.ts';
import { startPostgres } from '../../test/servers/postgres.ts';
import { pin, watchProcess } from '../method/children.ts';
import { clusterConfig, databases, dynamicConfig } from './cluster-config.ts';
import { type ClusterPrograms, provideClusterPrograms } from './cluster-programs.ts';
import type { TemporalServer } from './temporal.ts';

const startMs = 120_000;

/**
 * Temporal's server with its four services in one process, on a PostgreSQL of its own. Both end with this process. The
 * programs are built where they are not there; see {@link provideClusterPrograms}.
 */
export async function startCluster(): Promise<TemporalServer> {
  const programs = provideClusterPrograms();
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-cluster-'));
  const postgres = await startPostgres();
  const close = async () => {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    layOut(programs, postgres.port);
    const ports = { frontend: await freePort(), http: await freePort(), postgres: postgres.port };
    const server = await startServer(programs.server, { folder, ports });
    pin(server.pid, 'rest');
    watchProcess(server.pid);
    const address = `${host}:${ports.frontend}`;
    return {
      name: 'cluster',
      address,
      own: { pid: server.pid, url: `http://${host}:${ports.http}` },
      async close() {
        await server.end();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Makes the two databases and brings them to the release's version. */
function layOut({ sql, schemas }: ClusterPrograms, port: number): void {
  for (const [name, database] of Object.entries(databases) as [keyof typeof databases, string][]) {
    const run = (...args: string[]) => {
      const common = ['--plugin', 'postgres12', '--ep', host, '--port', String(port), '--user', 'postgres'];
      const { status, stdout, stderr } = spawnSync(sql, [...common, '--database', database, ...args], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`${args[0]} of ${database} failed:\n${lastLines(stdout + stderr)}`);
    };
    run('create');
    run('setup-schema', '-v', '0.0');
    run('update-schema', '-d', schemas[name]);
  }
}

async function startServer(program: string, to: { folder: string; ports: Parameters<typeof clusterConfig>[0] }) {
  const [configFile, dynamicConfigFile, logFile] = ['config.yaml', 'dynamic.yaml', 'server.log'].map((name) =>
    join(to.folder, name),
  ) as [string, string, string];
  writeFileSync(dynamicConfigFile, JSON.stringify(dynamicConfig));
  writeFileSync(configFile, JSON.stringify(await clusterConfig(to.ports, dynamicConfigFile)));
  const output = openSync(logFile, 'a');
  const { PATH = '', HOME = '' } = process.env;
  const server = await startOnLeash({
    program,
    args: ['--config-file', configFile, '--allow-no-auth', 'start'],
    environment: { PATH, HOME },
    output,
    patienceMs: 10_000,
  }).finally(() => closeSync(output));
  try {
    const ended = server.ended.then((how) => {
      throw new Error(`Temporal's server ended with ${how}`);
    });
    await Promise.race([prepare(`${host}:${to.ports.frontend}`), ended]);
    return server;
  } catch (error) {
    await server.end();
    throw new Error(`Temporal's server does not serve:\n${lastLines(readFileSync(logFile, 'utf8'))}`, { cause: error });
  }
}

/** Makes the namespace and the search attributes. Resolves once both can be used. */
async function prepare(address: string): Promise<void> {
  const connection = Connection.lazy({ address });
  const { workflowService, operatorService } = connection;
  const searchAttributes = Object.fromEntries(indexedTypes);
  const namespace = 'default';
  const signal = AbortSignal.timeout(startMs);
  try {
    const workflowExecutionRetentionPeriod = msToTs('1 day');
    await insist(async () => {
      await workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod }).catch(exceptTaken);
    }, signal);
    await insist(async () => {
      await operatorService.addSearchAttributes({ namespace, searchAttributes }).catch(exceptTaken);
    }, signal);
    // Answered once every cache of the server knows them.
    await insist(() => workflowService.countWorkflowExecutions({ namespace, query: probeQuery }), signal);
  } finally {
    await connection.close();
  }
}

/** An attempt before may have arrived, whatever its caller saw. */
function exceptTaken(error: unknown): void {
  if (grpcCodeOf(error) !== grpcCode.ALREADY_EXISTS) throw error;
}

/** Rejects with what the last attempt gave. */
async function insist(work: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  let last: unknown;
  const isDone = await retryUntilDone({
    work: async () => {
      await work();
    },
    ...{ everyMs: 100, signal, onFailure: (error) => (last = error) },
  });
  if (!isDone) throw last;
}

const lastLines = (text: string): string => text.trim().split('\n').slice(-5).join('\n');
