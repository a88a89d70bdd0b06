import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepare, tooOldNode, whyToInstall } from '../../local/prepare.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portico-prepare-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (file: string, content: unknown) => {
  mkdirSync(join(folder, file, '..'), { recursive: true });
  writeFileSync(join(folder, file), JSON.stringify(content));
};

/** A lock file with these packages, and what npm noted as installed. */
function checkout(locked: Record<string, object>, installed?: Record<string, object>): void {
  write('package.json', { name: 'checkout', version: '1.0.0', engines: { node: '>=20.19' } });
  write('package-lock.json', {
    name: 'checkout',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: { '': { name: 'checkout', version: '1.0.0' }, ...locked },
  });
  if (installed !== undefined) write('node_modules/.package-lock.json', { packages: installed });
}

const [a, b] = ['node_modules/a', 'node_modules/a/node_modules/@x/b'];

describe('the dependencies are installed', () => {
  it('when nothing is there yet', () => {
    checkout({ [a]: { version: '1.0.0' } });
    expect(whyToInstall(folder)).toBe('nothing is installed yet');
  });

  it('when one is missing, outdated or no longer wanted', () => {
    checkout({ [a]: { version: '1.0.0' }, [b]: { version: '1.0.0' } }, { [a]: { version: '1.0.0' } });
    expect(whyToInstall(folder)).toBe('@x/b is missing or outdated');
    checkout({ [a]: { version: '1.1.0' } }, { [a]: { version: '1.0.0' } });
    expect(whyToInstall(folder)).toBe('a is missing or outdated');
    checkout({}, { [a]: { version: '1.0.0' } });
    expect(whyToInstall(folder)).toBe('a is no longer wanted');
  });

  it('not when they are what the lock file says, other platforms aside', () => {
    const locked = { [a]: { version: '1.0.0' }, [b]: { version: '2.0.0', optional: true } };
    checkout(locked, { [a]: { version: '1.0.0' } });
    expect(whyToInstall(folder)).toBeUndefined();
  });

  it('by npm, after which nothing is left to install', async () => {
    write('a/package.json', { name: 'a', version: '1.0.0' });
    const npm = (...args: string[]) => execFileSync('npm', [...args, '--offline'], { cwd: folder, stdio: 'ignore' });
    npm('pack', './a');
    write('package.json', { name: 'checkout', version: '1.0.0', dependencies: { a: 'file:a-1.0.0.tgz' } });
    npm('install', '--package-lock-only');
    await prepare(folder);
    expect(existsSync(join(folder, 'node_modules/a/package.json'))).toBe(true);
    expect(whyToInstall(folder)).toBeUndefined();
  });

  it('not without a lock file', () => {
    write('package.json', {});
    expect(() => whyToInstall(folder)).toThrow('package-lock.json is missing');
  });
});

describe('a Node.js that is too old', () => {
  it.each(['18.20.4', '20.9.0', '20.18.3'])('is refused with a sentence: %s', (version) => {
    expect(tooOldNode(version, '>=20.19')).toBe(`Portico needs Node.js 20.19 or newer; this is ${version}.`);
  });

  it.each(['20.19.0', '20.20.2', '22.1.0', '24.0.0'])('is not %s', (version) => {
    expect(tooOldNode(version, '>=20.19')).toBeUndefined();
  });
});
