import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('../', import.meta.url));

/**
 * Makes a checkout ready to run: refuses a Node.js that is too old, and installs the dependencies where
 * `package-lock.json` is not the one that they were installed from. Throws an `Error` whose message is meant for a person.
 * Plain JavaScript without dependencies: it runs before any is there.
 */
export async function prepare(folder = project) {
  const tooOld = tooOldNode(
    process.versions.node,
    JSON.parse(read(`${folder}/package.json`) ?? '{}').engines?.node ?? '',
  );
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

/** Why the dependencies have to be installed, or undefined if they are those of `package-lock.json`. */
export function whyToInstall(folder) {
  const noted = read(noteIn(folder));
  if (noted === undefined) return 'nothing is installed yet';
  return noted === hashOfLock(folder) ? undefined : 'package-lock.json has changed';
}

// `npm ci` begins by removing the folder: where an installation was cut there is no note.
const noteIn = (folder) => `${folder}/node_modules/.portico-lock-sha256`;

function hashOfLock(folder) {
  const lock = read(`${folder}/package-lock.json`);
  if (lock === undefined) throw new Error('package-lock.json is missing or cannot be read.');
  return createHash('sha256').update(lock).digest('hex');
}

async function install(folder, reason) {
  console.error(`Installing dependencies: ${reason}.`);
  const startedAt = Date.now();
  const progress = setInterval(() => console.error(`  npm ci: ${seconds(startedAt)} s`), 5_000);
  try {
    const hash = hashOfLock(folder);
    await npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], folder);
    mkdirSync(`${folder}/node_modules`, { recursive: true });
    writeFileSync(noteIn(folder), hash);
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

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
