import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('../', import.meta.url));

/**
 * Makes a checkout ready to run: refuses a Node.js that is too old, and installs the dependencies where
 * `node_modules` is not what `package-lock.json` says. Throws an `Error` whose message is meant for a person.
 * Plain JavaScript without dependencies: it runs before any is there.
 */
export async function prepare(folder = project) {
  const tooOld = tooOldNode(process.versions.node, readJson(`${folder}/package.json`)?.engines?.node ?? '');
  if (tooOld !== undefined) throw new Error(tooOld);
  const reason = whyToInstall(folder);
  if (reason !== undefined) await install(folder, reason);
}

/** A sentence if `version` is below the floor of `range` (`>=20.19`), else undefined. */
export function tooOldNode(version, range) {
  const floor = /^>=\s*([0-9.]+)$/.exec(range)?.[1];
  if (floor === undefined || isAtLeast(version, floor)) return undefined;
  return `Portico needs Node.js ${floor} or newer; this is ${version}.`;
}

/** What differs between `package-lock.json` and what is installed, or undefined if nothing does. */
export function whyToInstall(folder) {
  const wanted = readJson(`${folder}/package-lock.json`)?.packages;
  if (wanted === undefined) throw new Error('package-lock.json is missing or cannot be read.');
  // npm writes this file last, so a cut installation has none.
  const installed = readJson(`${folder}/node_modules/.package-lock.json`)?.packages;
  if (installed === undefined) return 'nothing is installed yet';
  for (const [path, { version, optional, peer }] of Object.entries(wanted)) {
    // What is optional may be missing: it is for another platform.
    if (path === '' || (installed[path] === undefined && (optional || peer))) continue;
    if (installed[path]?.version !== version) return `${path.replace(/^.*node_modules\//, '')} is missing or outdated`;
  }
  const extra = Object.keys(installed).find((path) => wanted[path] === undefined);
  return extra === undefined ? undefined : `${extra.replace(/^.*node_modules\//, '')} is no longer wanted`;
}

async function install(folder, reason) {
  console.error(`Installing dependencies: ${reason}.`);
  const startedAt = Date.now();
  const progress = setInterval(() => console.error(`  npm ci: ${seconds(startedAt)} s`), 5_000);
  try {
    await npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], folder);
  } finally {
    clearInterval(progress);
  }
  console.error(`Dependencies are installed (${seconds(startedAt)} s).`);
}

const seconds = (since) => Math.round((Date.now() - since) / 1_000);

function npm(args, cwd) {
  // Under `npm start` this is the very npm that runs us.
  const script = process.env.npm_execpath?.endsWith('.js') ? process.env.npm_execpath : undefined;
  const [command, ...first] = script === undefined ? ['npm'] : [process.execPath, script];
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...first, ...args], { cwd, stdio: ['ignore', 2, 2] });
    child.on('error', () => reject(new Error('npm could not be run: is it installed beside Node.js?')));
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`npm ci failed (exit code ${code}).`))));
  });
}

function isAtLeast(version, floor) {
  const [have, need] = [version, floor].map((text) => text.split('.').map(Number));
  for (const [index, part] of need.entries()) {
    if ((have[index] ?? 0) !== part) return (have[index] ?? 0) > part;
  }
  return true;
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
