import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  developmentAudience,
  developmentIssuer,
  developmentKey,
  developmentKeyEnvironment,
} from '../../local/development-key.ts';
import { signDevelopmentToken } from '../../local/development-token.ts';
import { secretFile } from '../../src/config/kinds.ts';

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
    ['TEMPORAL_PROFILE', 'cloud'],
    ['PORTICO_JWT_ISSUER', 'https://issuer.example'],
    ['ROLE', 'api'],
  ])('refuses beside %s, and makes no key', (name, value) => {
    const { printed, status, error } = token(usual, { [name]: value });
    expect({ printed, status }).toEqual({ printed: '', status: 1 });
    expect(error).toMatch(/^The development key exists only where `npm start` provides everything: .*\n$/);
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
  it('is a text of 64 bytes, the same every time, and readable by its owner only', () => {
    const key = developmentKey(stateDir);
    expect(Buffer.from(key.toString(), 'base64url')).toHaveLength(64);
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
    expect(() => developmentKey(stateDir)).toThrow(/is no secret of Portico/);
    expect(readFileSync(join(stateDir, 'development-key'), 'utf8')).toBe('secret');
  });

  /** What Portico reads from the file that it is told of. */
  const keyOfPortico = (): Buffer =>
    secretFile.parse(developmentKeyEnvironment(stateDir).PORTICO_JWT_SECRET_FILE).reveal();

  it.each([
    ['0a', '0a'],
    ['0d0a', '0d0a'],
    ['neither', '7f'],
  ])('of the first release, 64 raw bytes that end in %s, is converted once and loses nothing', async (_, end) => {
    const raw = Buffer.concat([randomBytes(62), Buffer.from(end.padStart(4, '0'), 'hex')]);
    writeFileSync(join(stateDir, 'development-key'), raw, { mode: 0o600 });
    const signed = await signDevelopmentToken(stateDir, {
      subject: 'alice',
      tenant: 'acme',
      permissions: [],
      lifetimeSeconds: 60,
    });
    await expect(jwtVerify(signed, keyOfPortico())).resolves.toBeDefined();
    expect(Buffer.from(keyOfPortico().toString(), 'base64url')).toEqual(raw);
    expect(developmentKey(stateDir)).toEqual(keyOfPortico());
    expect(statSync(join(stateDir, 'development-key')).mode & 0o777).toBe(0o600);
    expect(readdirSync(stateDir)).toEqual(['development-key']);
  });

  it.each(['makes', 'converts'])('is one key for all, however many processes %s it at once', async (does) => {
    if (does === 'converts') writeFileSync(join(stateDir, 'development-key'), randomBytes(64), { mode: 0o600 });
    const module = new URL('../../local/development-key.ts', import.meta.url).href;
    const program = `
      const { developmentKey } = await import(${JSON.stringify(module)});
      while (Date.now() < ${Date.now() + 3_000});
      process.stdout.write(developmentKey(${JSON.stringify(stateDir)}).toString());`;
    const keys = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const args = ['--import', 'tsx', '--input-type=module', '-e', program];
        return (await promisify(execFile)(process.execPath, args, { cwd: project })).stdout;
      }),
    );
    expect(new Set(keys)).toEqual(new Set([developmentKey(stateDir).toString()]));
  });
});
