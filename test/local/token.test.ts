import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { developmentAudience, developmentIssuer, developmentKey } from '../../local/development-key.ts';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'portico-key-'));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

const project = new URL('../../', import.meta.url);

function token(args: string[], environment: Record<string, string> = {}) {
  const { stdout, stderr, status } = spawnSync('npm', ['run', '--silent', 'token', '--', ...args], {
    cwd: project,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], PORTICO_STATE_DIR: stateDir, ...environment },
  });
  // npm may have its own words about the settings of the machine.
  return { printed: stdout, status, error: stderr.replaceAll(/^npm warn .*\n/gm, '') };
}

const usual = ['--subject', 'alice', '--tenant', 'acme', '--permissions', 'transfers:start,transfers:read'];

describe('npm run token', () => {
  it('prints one token, which the key of the state folder verifies', async () => {
    const { printed, status, error } = token(usual);
    expect({ status, error }).toEqual({ status: 0, error: '' });
    expect(printed).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const { payload, protectedHeader } = await jwtVerify(printed.trim(), developmentKey(stateDir), {
      algorithms: ['HS256'],
      issuer: developmentIssuer,
      audience: developmentAudience,
      requiredClaims: ['iat', 'exp'],
    });
    expect(protectedHeader.alg).toBe('HS256');
    expect(payload).toMatchObject({ sub: 'alice', tenant: 'acme', permissions: ['transfers:start', 'transfers:read'] });
    expect(Number(payload.exp) - Number(payload.iat)).toBe(3_600);
  });

  it('gives it the lifetime asked for', async () => {
    const { payload } = await jwtVerify(token([...usual, '--ttl', '90s']).printed.trim(), developmentKey(stateDir));
    expect(Number(payload.exp) - Number(payload.iat)).toBe(90);
  });

  it.each([
    ['TEMPORAL_ADDRESS', 'temporal.example:7233'],
    ['DATABASE_URL', 'postgres://db.example/portico'],
  ])('refuses beside %s, and makes no key', (name, value) => {
    const { printed, status, error } = token(usual, { [name]: value });
    expect({ printed, status }).toEqual({ printed: '', status: 1 });
    expect(error).toMatch(/^The development key exists in embedded mode only: .*\n$/);
    expect(statSync(join(stateDir, 'development-key'), { throwIfNoEntry: false })).toBeUndefined();
  });

  it.each([
    ['a missing subject', ['--tenant', 'acme', '--permissions', 'transfers:read'], 'usage:'],
    ['an unknown option', [...usual, '--role', 'admin'], 'usage:'],
    ['more than a day', [...usual, '--ttl', '25h'], 'usage:'],
    ['an unknown permission', [...usual.slice(0, 5), 'transfers:fly'], 'Unknown: transfers:fly. Permissions are'],
  ])('refuses %s with a sentence', (_, args, sentence) => {
    const { printed, status, error } = token(args);
    expect({ printed, status }).toEqual({ printed: '', status: 1 });
    expect(error).toContain(sentence);
  });
});

describe('the development key', () => {
  it('is 64 bytes, the same every time, and readable by its owner only', () => {
    const key = developmentKey(stateDir);
    expect(key).toHaveLength(64);
    expect(developmentKey(stateDir)).toEqual(key);
    expect(statSync(join(stateDir, 'development-key')).mode & 0o777).toBe(0o600);
  });

  it('differs between state folders', () => {
    expect(developmentKey(join(stateDir, 'a'))).not.toEqual(developmentKey(join(stateDir, 'b')));
  });

  it('is refused once others can read it', () => {
    developmentKey(stateDir);
    chmodSync(join(stateDir, 'development-key'), 0o644);
    expect(() => developmentKey(stateDir)).toThrow(/can be read by others/);
  });

  it('is refused when the file holds something else', () => {
    writeFileSync(join(stateDir, 'development-key'), 'secret', { mode: 0o600 });
    expect(() => developmentKey(stateDir)).toThrow(/is no development key/);
    expect(readFileSync(join(stateDir, 'development-key'), 'utf8')).toBe('secret');
  });
});
