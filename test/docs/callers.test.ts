import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { cleanEnvironment } from '../harness/checkout.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';
import { type HttpFault, startFaultyHttpProxy } from '../servers/faulty-http-proxy.ts';
import { blocksOf } from './guide.ts';

const page = readFileSync(new URL('../../docs/callers.md', import.meta.url), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'portico-callers-'));
const permissions = ['transfers:start', 'transfers:read', 'transfers:cancel'];

/** How an example is run, and what has to be on the machine for it. */
interface Language {
  readonly fence: string;
  readonly program: string;
  readonly file: string;
  /** Compiles the file, where that is done once. */
  readonly build?: readonly string[];
  readonly run: readonly string[];
}

const tsx = import.meta.resolve('tsx');
/** Where an installed package would be. */
const client = new URL('../../client/src/index.ts', import.meta.url).href;

const languages: readonly Language[] = [
  { fence: 'bash', program: 'curl', file: 'pay.sh', run: ['bash', 'pay.sh'] },
  { fence: 'ts', program: 'node', file: 'pay.mts', run: [process.execPath, '--import', tsx, 'pay.mts'] },
  { fence: 'python', program: 'python3', file: 'pay.py', run: ['python3', 'pay.py'] },
  { fence: 'go', program: 'go', file: 'pay.go', build: ['go', 'build', '-o', 'pay', 'pay.go'], run: ['./pay'] },
];

/** Nothing of the network is asked for. The cache of the user is shared by all test runs. */
const environment = { ...cleanEnvironment(), GOTOOLCHAIN: 'local', GOPROXY: 'off', GOFLAGS: '', CGO_ENABLED: '0' };

/** The reason to skip an example; `undefined` where it can run. Where CI is set the reason becomes a failure. */
function skipReason({ program }: Language): string | undefined {
  if (spawnSync('sh', ['-c', `command -v ${program}`]).status === 0) return undefined;
  const reason = `no ${program} on PATH, so its example in docs/callers.md is not run`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
  return reason;
}

async function execute(command: readonly string[], given: Readonly<Record<string, string>> = {}) {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { cwd: folder, env: { ...environment, ...given } });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (text: Buffer) => (output.stdout += String(text)));
  child.stderr.on('data', (text: Buffer) => (output.stderr += String(text)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

let portico: Portico;
const seeds = ['seed-1', 'seed-2', 'seed-3'];

beforeAll(async () => {
  portico = await startPortico();
  await portico.openAccounts('alice', 'bob');
  for (const transferId of seeds) {
    const amount = { currency: 'EUR', minor: '1' };
    const body = { transferId, from: 'alice', to: 'bob', amount };
    await portico.post('/v1/transfers', body, { headers: { prefer: 'wait=20' } });
  }
  await until(
    () => portico.get('/v1/transfers?from=alice&outcome=completed'),
    ({ body }) => body.items.length === seeds.length,
  );
});
afterAll(async () => {
  await portico.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('docs/callers.md has one program for each language', () => {
  for (const { fence } of languages) expect(blocksOf(page, fence)).toHaveLength(1);
});

/** What the program meets at each of its three changes; its reads are truncated once. The first attempt has an old token. */
const faults: readonly (readonly (HttpFault | undefined)[])[] = [
  [undefined, 'bad-gateway', 'cut'],
  ['overloaded', 'unknown'],
  ['overloaded', 'cut'],
];

/** Gives each new request its faults, one for each time that it comes. */
function createFaults() {
  const changes = new Map<string, (HttpFault | undefined)[]>();
  const reads = new Set<string>();
  return ({ method, path, body }: { method: string; path: string; body: string }) => {
    const [resource = ''] = path.split('?');
    if (method === 'GET') return reads.size === reads.add(resource).size ? undefined : ('truncated' as const);
    const id = `${path} ${body}`;
    const left = changes.get(id) ?? [...(faults[changes.size] ?? [])];
    changes.set(id, left);
    return left.shift();
  };
}

describe.concurrent.each(languages)('the program for $fence', (language) => {
  const { fence, file, build, run } = language;
  const isSkipped = skipReason(language) !== undefined;

  beforeAll(async () => {
    writeFileSync(join(folder, file), blocksOf(page, fence)[0]?.replace('portico-client', client) ?? '');
    if (build !== undefined && !isSkipped) expect(await execute(build)).toMatchObject({ code: 0, stderr: '' });
  });

  /** Runs it with a token of a moment that is to come, or of one that has passed. */
  async function pay(url: string, order: string, given: { isExpired?: boolean; patience?: number } = {}) {
    const tokenFile = join(folder, unique('token'));
    const iat = Math.floor(Date.now() / 1_000) - 7_200;
    const expired = await portico.tokenFor({ permissions, claims: { iat, exp: iat + 60 } });
    const valid = await portico.tokenFor({ permissions });
    writeFileSync(tokenFile, given.isExpired === true ? expired : valid);
    const environmentOfProgram = {
      PORTICO_URL: url,
      PORTICO_TOKEN_FILE: tokenFile,
      ...(given.patience === undefined ? {} : { PATIENCE: String(given.patience) }),
    };
    return {
      ended: execute([...run, order], environmentOfProgram),
      renewToken: () => writeFileSync(tokenFile, valid),
    };
  }

  /** Passes everything on, unless told otherwise. */
  async function openProxy(context: TestContext, given: Partial<Parameters<typeof startFaultyHttpProxy>[0]> = {}) {
    const proxy = await startFaultyHttpProxy({ target: portico.url ?? '', faultOf: () => undefined, ...given });
    context.onTestFinished(() => proxy.close());
    return proxy;
  }

  const linesOf = (order: string) => [`order-${order} completed`, `order-${order}-large cancelled`];

  it.skipIf(isSkipped)('pays, calls off and lists', async () => {
    const order = unique('plain');
    const { ended } = await pay(portico.url ?? '', order);
    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [paid, called, ...listed] = stdout.trim().split('\n');
    expect([paid, called]).toEqual(linesOf(order));
    expect(listed).toEqual(expect.arrayContaining(seeds.map((id) => `paid ${id}`)));
  });

  it.skipIf(isSkipped)(
    'does so once where requests are refused, cut, truncated and of an old token',
    async (context) => {
      const order = unique('faulty');
      let renewToken = (): void => undefined;
      const answered = (status: number): void => {
        if (status === 401) renewToken();
      };
      const proxy = await openProxy(context, { faultOf: createFaults(), answered });
      const program = await pay(proxy.url, order, { isExpired: true });
      renewToken = program.renewToken;
      const { code, stdout, stderr } = await program.ended;
      expect({ code, stderr }).toMatchObject({ code: 0 });
      expect(stdout.split('\n').slice(0, 2)).toEqual(linesOf(order));
      const changes = proxy.exchanges.filter(({ method }) => method === 'POST');
      expect(changes.flatMap(({ fault }) => fault ?? [])).toEqual(faults.flat().filter((fault) => fault !== undefined));
      expect(changes.filter(({ status }) => status === 401)).toHaveLength(1);
      expect(changes.filter(({ idempotencyStatus }) => idempotencyStatus === 'created')).toHaveLength(2);
      const cancelled = changes.filter(({ path }) => path.endsWith('/cancel'));
      expect(new Set(cancelled.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
      expect(cancelled[0]?.idempotencyKey).toEqual(expect.stringContaining('cancel-'));
      expect(proxy.exchanges.filter(({ fault }) => fault === 'truncated').length).toBeGreaterThan(2);
    },
  );

  it.skipIf(isSkipped)(
    'ends at once where the verdict is final, and after its patience where nobody answers',
    async (context) => {
      const proxy = await openProxy(context);
      const refused = await (await pay(proxy.url, 'no key')).ended;
      expect(refused.code).toBeGreaterThan(0);
      expect(refused.stderr).toMatch(/invalid-request/);
      expect(proxy.exchanges).toHaveLength(1);

      const away = await openProxy(context, { faultOf: () => 'cut' });
      const startedAt = performance.now();
      const gaveUp = await (await pay(away.url, unique('away'), { patience: 2 })).ended;
      expect(gaveUp.code).toBeGreaterThan(0);
      expect(gaveUp.stderr).toMatch(/no final answer|Portico did not answer/);
      expect(performance.now() - startedAt).toBeLessThan(30_000);
      expect(away.exchanges.length).toBeGreaterThan(1);
    },
  );
});
