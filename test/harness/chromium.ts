import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const programs = ['chromium', 'chromium-browser', 'google-chrome'];
const program = programs.find((name) => spawnSync(name, ['--version']).error === undefined);

if (program === undefined) {
  if (process.env['CI'] !== undefined) throw new Error('chromium is missing: install it to try the pages in a browser');
  console.warn('SKIPPED: chromium is missing, so no page is tried in a browser. Install it.');
}

/** Whether Chromium is on this machine. Without it the tests that need it are skipped, and with CI set they fail. */
export const hasChromium = program !== undefined;

/**
 * Opens an address in Chromium without a window. Resolves to the document as the browser understood it, and to what it
 * complained of: violations of the page's policy, and what it could not load.
 */
export async function browse(url: string): Promise<{ dom: string; complaints: readonly string[] }> {
  if (program === undefined) throw new Error('chromium is missing');
  const profile = mkdtempSync(join(tmpdir(), 'portico-chromium-'));
  const always = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--enable-logging=stderr',
  ];
  try {
    const { stdout, stderr } = await promisify(execFile)(
      program,
      [...always, `--user-data-dir=${profile}`, '--dump-dom', url],
      { timeout: 60_000, maxBuffer: 64 << 20 },
    );
    return { dom: stdout, complaints: stderr.split('\n').filter((line) => line.includes(':CONSOLE')) };
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
