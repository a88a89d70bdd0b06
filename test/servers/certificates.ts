import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** PEM of a certificate and its key. */
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Certificates of one authority, made by `openssl`, for one day: of a server with that name, and of a client. */
export function createCertificates(serverName: string): {
  readonly ca: Buffer;
  readonly server: Certificate;
  readonly client: Certificate;
} {
  const folder = mkdtempSync(join(tmpdir(), 'portico-certificates-'));
  const path = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

  function issue(name: string): Certificate {
    const files = { key: path(`${name}.key`), request: path(`${name}.csr`), cert: path(`${name}.pem`) };
    openssl('req', '-new', ...newKey, '-subj', `/CN=${name}`, '-keyout', files.key, '-out', files.request);
    writeFileSync(path('names'), `subjectAltName=DNS:${name}`);
    const authority = ['-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial'];
    openssl('x509', '-req', '-in', files.request, ...authority, '-extfile', path('names'), '-out', files.cert);
    return { cert: readFileSync(files.cert), key: readFileSync(files.key) };
  }

  try {
    openssl('req', '-x509', ...newKey, '-subj', '/CN=test', '-keyout', path('ca.key'), '-out', path('ca.pem'));
    return { ca: readFileSync(path('ca.pem')), server: issue(serverName), client: issue('client') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
