import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findingsIn, type LockFile, lockFile } from '../../scripts/lock-file.ts';

const text = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8');

/** The project's own lock file after somebody did this to it. */
function findingsAfter(change: (packages: LockFile['packages']) => void): string[] {
  const lock = lockFile.parse(JSON.parse(text));
  change(lock.packages);
  return findingsIn(lock);
}

const edit = (packages: LockFile['packages'], path: string, change: Partial<LockFile['packages'][string]>) => {
  const entry = packages[path];
  if (entry === undefined) throw new Error(`the lock file has no ${path}`);
  Object.assign(entry, change);
};

describe('the check of the lock file', () => {
  it('finds nothing in the one that is committed', () => {
    expect(findingsAfter(() => undefined)).toEqual([]);
  });

  it('finds a platform package that a registry did not show', () => {
    expect(findingsAfter((packages) => delete packages['node_modules/@swc/core-darwin-arm64'])).toEqual([
      'node_modules/@swc/core needs @swc/core-darwin-arm64, which the lock file lacks',
    ]);
  });

  it('finds a dependency that package.json has and the lock file lacks', () => {
    const findings = findingsAfter((packages) => edit(packages, '', { dependencies: { absent: '1.0.0' } }));
    expect(findings).toEqual(['package.json needs absent, which the lock file lacks']);
  });

  it('finds two versions among the Temporal packages', () => {
    const findings = findingsAfter((packages) =>
      edit(packages, 'node_modules/@temporalio/client', { version: '1.25.0' }),
    );
    expect(findings.join()).toContain('must have one version, not');
  });

  it('finds a second protobufjs between them', () => {
    const findings = findingsAfter((packages) => {
      packages['node_modules/@temporalio/proto/node_modules/protobufjs'] = { version: '8.8.1' };
    });
    expect(findings.join()).toContain('must share one protobufjs');
  });

  it.each([
    ['fast-jwt', '6.3.5'],
    ['fastify', '5.8.0'],
    ['fastify', '5.7.12'],
  ])('finds %s %s, which has known holes', (name, version) => {
    const findings = findingsAfter((packages) => edit(packages, `node_modules/${name}`, { version }));
    expect(findings).toHaveLength(1);
    expect(findings.join()).toContain(`node_modules/${name} ${version} is older than`);
  });

  it('finds the address of a registry', () => {
    const resolved = 'https://registry.example/fastify.tgz';
    const findings = findingsAfter((packages) => edit(packages, 'node_modules/fastify', { resolved }));
    expect(findings.join()).toContain('node_modules/fastify names the registry');
  });
});
