import { randomBytes, randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The `iss` of tokens signed with the development key. */
export const developmentIssuer = 'portico-development';

/** Their `aud`. */
export const developmentAudience = 'portico';

const keyBytes = 64;
const keyName = 'development-key';
const cursorSecretName = 'cursor-secret';
const endpointKeysName = 'endpoint-keys';

/**
 * The HS256 key that signs and verifies tokens on a machine of one's own, created in the state folder where there is
 * none. Whoever has it can name any subject and tenant. Throws if others than the owner may read the file, or if it
 * holds something else.
 */
export const developmentKey = (stateDir: string): Buffer => Buffer.from(secretIn(stateDir, keyName));

/** Makes Portico accept tokens that the development key of this state folder signs. */
export function developmentKeyEnvironment(stateDir: string) {
  secretIn(stateDir, keyName);
  return {
    PORTICO_JWT_ISSUER: developmentIssuer,
    PORTICO_JWT_AUDIENCE: developmentAudience,
    PORTICO_JWT_SECRET_FILE: join(resolve(stateDir), keyName),
  };
}

/** Lets cursors of lists survive a restart. */
export function cursorSecretEnvironment(stateDir: string) {
  secretIn(stateDir, cursorSecretName);
  return { PORTICO_CURSOR_SECRET_FILE: join(resolve(stateDir), cursorSecretName) };
}

/** Lets secrets of endpoints be stored, and read after a restart. */
export function endpointKeysEnvironment(stateDir: string) {
  // Forty-three of its characters are the 32 bytes of a key.
  return { PORTICO_ENDPOINTS_KEYS: `local=${secretIn(stateDir, endpointKeysName).slice(0, 43)}` };
}

/** The text of a secret in a file of its own. Text, since Portico takes a line break at the end of a file for none of it. */
function secretIn(stateDir: string, name: string): string {
  const file = join(stateDir, name);
  const secret = readSecret(file) ?? createSecret(stateDir, file);
  if (secret === undefined) throw new Error(`${file} cannot be created.`);
  return secret;
}

function readSecret(file: string): string | undefined {
  const status = statSync(file, { throwIfNoEntry: false });
  if (status === undefined) return undefined;
  // Windows knows no such bits.
  if (process.platform !== 'win32' && (status.mode & 0o077) !== 0) {
    throw new Error(`${file} can be read by others: remove it, and a new one is made.`);
  }
  const content = readFileSync(file);
  if (content.length === keyBytes) return convert(file, content);
  const text = content.toString('latin1');
  if (!/^[A-Za-z0-9_-]{86}$/.test(text)) {
    throw new Error(`${file} is no secret of Portico: remove it, and a new one is made.`);
  }
  return text;
}

/** Keys of the first release were raw bytes. Two processes that convert one at the same moment write the same text. */
function convert(file: string, raw: Buffer): string {
  const text = raw.toString('base64url');
  const draft = draftOf(file, text);
  renameSync(draft, file);
  return text;
}

/** A link appears whole or not at all, so of two processes that begin at once both end up with the same secret. */
function createSecret(stateDir: string, file: string): string | undefined {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const draft = draftOf(file, randomBytes(keyBytes).toString('base64url'));
  try {
    linkSync(draft, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readSecret(file);
}

function draftOf(file: string, content: string): string {
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, content, { mode: 0o600, flag: 'wx' });
  return draft;
}
