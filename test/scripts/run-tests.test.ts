import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const project = join(import.meta.dirname, '../..');
let folder: string;

beforeEach(() => {
  // Inside the project, so that the tests in it find vitest.
  mkdirSync(join(project, 'node_modules/.cache'), { recursive: true });
  folder = mkdtempSync(join(project, 'node_modules/.cache/portico-tests-'));
  writeFileSync(join(folder, 'vitest.config.mjs'), `export default { test: { include: ['*.test.mjs'] } };`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `npm test` over these tests; what the machine says about CI does not count. */
function runTests(content: string, { ci = '', args = [] as string[], progressMs = '0' } = {}) {
  writeFileSync(join(folder, 'some.test.mjs'), `import { expect, it } from 'vitest';\n${content}`);
  const { status, stdout } = spawnSync(
    process.execPath,
    ['scripts/test.mjs', `--root=${folder}`, `--config=${join(folder, 'vitest.config.mjs')}`, ...args],
    { cwd: project, encoding: 'utf8', env: { ...process.env, CI: ci, TEST_PROGRESS_MS: progressMs } },
  );
  return { status, lastLine: stdout.trimEnd().split('\n').at(-1), stdout };
}

describe('npm test', () => {
  it('ends with one line that counts, and with 0 when all is well', () => {
    const { status, lastLine } = runTests(`it('a', () => {}); it('b', () => {});`);
    expect({ status, lastLine }).toEqual({ status: 0, lastLine: '2 passed, 0 failed, 0 skipped' });
  });

  it('fails with a test that fails', () => {
    const { status, lastLine } = runTests(`it('a', () => {}); it('b', () => { expect(1).toBe(2); });`);
    expect({ status, lastLine }).toEqual({ status: 1, lastLine: '1 passed, 1 failed, 0 skipped' });
  });

  it('counts a file that cannot be loaded as failed', () => {
    const { status, lastLine } = runTests(`throw new Error('broken');`);
    expect({ status, lastLine }).toEqual({ status: 1, lastLine: '0 passed, 1 failed, 0 skipped' });
  });

  it('says what was skipped and why, and lets it pass on a machine of one’s own', () => {
    const { status, lastLine, stdout } = runTests(`it('a', () => {}); it('b', (c) => c.skip('no PostgreSQL'));`);
    expect({ status, lastLine }).toEqual({ status: 0, lastLine: '1 passed, 0 failed, 1 skipped' });
    expect(stdout).toMatch(/^SKIPPED .*some\.test\.mjs > b: no PostgreSQL$/m);
  });

  it('fails in CI when something was skipped', () => {
    const { status, lastLine } = runTests(`it.skip('a', () => {});`, { ci: 'true' });
    expect({ status, lastLine }).toEqual({ status: 1, lastLine: '0 passed, 0 failed, 1 skipped' });
  });

  it('names what passed at a second try only', () => {
    const flaky = `let tries = 0; it('a', () => {}); it('b', () => { expect(++tries).toBe(2); });`;
    const { status, lastLine, stdout } = runTests(flaky, { args: ['--retry=1'] });
    expect({ status, lastLine }).toEqual({ status: 0, lastLine: '2 passed, 0 failed, 0 skipped' });
    expect(stdout.match(/^PASSED AT A SECOND TRY .*$/gm)).toEqual([expect.stringMatching(/some\.test\.mjs > b$/)]);
  });

  it('says how far it is, and what runs', () => {
    const slow = `it('a', () => new Promise((resolve) => setTimeout(resolve, 1_000)));`;
    const { stdout } = runTests(slow, { progressMs: '200' });
    expect(stdout).toMatch(/^PROGRESS 0 of 1 files done after \d+ s; \S*some\.test\.mjs for \d+ s$/m);
  });

  it('passes its arguments on to vitest', () => {
    const { lastLine } = runTests(`it('first', () => {}); it('second', () => {});`, { args: ['-t', 'second'] });
    expect(lastLine).toBe('1 passed, 0 failed, 1 skipped');
  });
});
