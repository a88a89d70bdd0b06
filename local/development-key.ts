import { randomBytes, randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The `iss` of tokens signed with the development key. */
export const developmentIssuer = 'portico-development';

/** Their `aud`. */
export const developmentAudience = 'portico';

const keyBytes = 64;

/**
 * The HS256 key that signs and verifies tokens on a machine of one's own, created in the state folder where there is
 * none. Whoever has it can name any subject and tenant: ask for it in embedded mode only.
 * Throws if others than the owner may read the file, or if it holds something else.
 */
export function developmentKey(stateDir: string): Buffer {
  const file = join(stateDir, 'development-key');
  return readKey(file) ?? createKey(stateDir, file);
}

function readKey(file: string): Buffer | undefined {
  const status = statSync(file, { throwIfNoEntry: false });
  if (status === undefined) return undefined;
  // Windows knows no such bits.
  if (process.platform !== 'win32' && (status.mode & 0o077) !== 0) {
    throw new Error(`${file} can be read by others: remove it, and a new one is made.`);
  }
  const key = readFileSync(file);
  if (key.length !== keyBytes) throw new Error(`${file} is no development key: remove it, and a new one is made.`);
  return key;
}

/** A link appears whole or not at all, so of two processes that begin at once both end up with the same key. */
function createKey(stateDir: string, file: string): Buffer {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, randomBytes(keyBytes), { mode: 0o600, flag: 'wx' });
  try {
    linkSync(draft, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  const key = readKey(file);
  if (key === undefined) throw new Error(`${file} cannot be created.`);
  return key;
}
