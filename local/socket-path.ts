import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The address of a unix socket is a field of 104 bytes on macOS and 108 on Linux, one of them a terminating zero. */
const addressBytes = 103;

/**
 * A name for `folder` short enough for unix sockets in it, whose own names may have up to `nameBytes` bytes. It is the
 * folder's own path, or where that is too long a link to it in a fresh private folder below the system's temporary one.
 * `close` removes the link.
 */
export async function shortPathOf(folder: string, nameBytes: number) {
  const path = resolve(folder);
  if (Buffer.byteLength(path) + 1 + nameBytes <= addressBytes) return { path, close: () => Promise.resolve() };
  const parent = await mkdtemp(join(tmpdir(), 'portico-'));
  const link = join(parent, 's');
  await symlink(path, link);
  return { path: link, close: () => rm(parent, { recursive: true, force: true }) };
}
