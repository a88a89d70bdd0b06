import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

describe('the dependencies are installed', () => {
  it('when nothing is there yet', () => {
    write('package-lock.json', { packages: {} });
    expect(whyToInstall(folder)).toBe('nothing is installed yet');
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

    appendFileSync(join(folder, 'package-lock.json'), ' ');
    expect(whyToInstall(folder)).toBe('package-lock.json has changed');
    rmSync(join(folder, 'package-lock.json'));
    expect(() => whyToInstall(folder)).toThrow('package-lock.json is missing');
  });

  it('again when npm was cut short', async () => {
    write('package.json', { name: 'checkout', version: '1.0.0', dependencies: { a: 'file:absent.tgz' } });
    write('package-lock.json', { name: 'checkout', lockfileVersion: 3, packages: {} });
    await expect(prepare(folder)).rejects.toThrow('npm ci failed');
    expect(whyToInstall(folder)).toBe('nothing is installed yet');
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
