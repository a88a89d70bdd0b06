import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browse, hasChromium } from '../harness/chromium.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { startPageServer } from './page-server.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'portico-client-'));
const installed = join(folder, 'node_modules', 'portico-client');
const run = promisify(execFile);

let pages: Awaited<ReturnType<typeof startPageServer>>;
let portico: Portico;

beforeAll(async () => {
  pages = await startPageServer(join(installed, 'dist'));
  portico = await startPortico({ environment: { PORTICO_CORS_ORIGINS: pages.origin } });
  const [ready] = await Promise.all([portico.untilReady(), install()]);
  await portico.openAccounts('acme', 'globex');
  return ready;
});
afterAll(async () => {
  await Promise.all([portico.stop(), pages.close()]);
  rmSync(folder, { recursive: true, force: true });
});

/** Into a folder that has nothing else, without a registry. */
async function install(): Promise<void> {
  await run('npm', ['pack', '--pack-destination', folder], { cwd: join(root, 'client') });
  const [archive = ''] = readdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${archive}`], { cwd: folder });
}

const amount = `{ currency: 'EUR', minor: '100' }`;

/** It starts a transfer, and tells how that ended. */
const programFor = async (transferId: string, from: string) => `
import { createPortico, PorticoProblem } from '${from}';
const portico = createPortico({ baseUrl: '${portico.url ?? ''}', token: () => '${await portico.tokenFor()}' });
const transferId = '${transferId}';
const started = await portico.transfers.start({ transferId, from: 'acme', to: 'globex', amount: ${amount} });
const ended = await portico.transfers.result(transferId, { timeoutMs: 60000 });
const problem = await portico.transfers.get('nobody').catch((error) => error);
const told = [started.idempotencyStatus, ended.outcome, problem instanceof PorticoProblem && problem.code].join(' ');
`;

describe('the package', () => {
  it('has what it needs and no more', () => {
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect(manifest['dependencies']).toBeUndefined();
    expect(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
      'portico-client',
    ]);
    expect(readdirSync(installed).sort()).toEqual(['LICENSE', 'README.md', 'dist', 'package.json']);
  });

  it('does in plain Node.js what its page of documentation shows', async () => {
    const [, example = ''] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(installed, 'README.md'), 'utf8')) ?? [];
    const here = example
      .replace('https://portico.example.com', portico.url ?? '')
      .replaceAll('invoice-1042', unique('node'));
    expect(here).toContain('portico.transfers.result(');
    const tokens = `const tokenOf = () => '${await portico.tokenFor()}';`;
    writeFileSync(join(folder, 'use.mjs'), here.replace('const portico', `${tokens}\nconst portico`));
    const { stdout } = await run(process.execPath, ['use.mjs'], { cwd: folder });
    expect(stdout).toMatch(/^created completed \{/);
  });

  it('has types that hold what a caller writes', async () => {
    const calls = readFileSync(join(root, 'test/fixtures/typed-calls.ts'), 'utf8');
    writeFileSync(join(folder, 'use.ts'), calls.replace('../../client/src/index.ts', 'portico-client'));
    const compilerOptions = {
      noEmit: true,
      strict: true,
      skipDefaultLibCheck: true,
      target: 'es2023',
      lib: ['es2023', 'dom'],
      module: 'nodenext',
    };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...compilerOptions, types: [] }, files: ['use.ts'] }),
    );
    const compiled = run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc')], { cwd: folder });
    const { stdout } = await compiled.catch((error: unknown) => error as { stdout: string });
    expect(stdout).toBe('');
  });

  it.skipIf(!hasChromium)('works in the page of an allowed origin', async () => {
    pages.serve(`${await programFor(unique('page'), '/dist/index.js')}\ndocument.body.prepend(told);`);
    const { dom, complaints } = await browse(pages.origin);
    // The browser tells of the 404 that the page asks for.
    expect(complaints.filter((line) => !line.includes('404'))).toEqual([]);
    expect(dom).toContain('created completed not-found');
  });
});
