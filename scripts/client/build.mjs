import { spawnSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What `npm pack` in `client/` runs first: compiles the package into `client/dist`. */
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'client');
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');

rmSync(join(folder, 'dist'), { recursive: true, force: true });
copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
process.exitCode = spawnSync(process.execPath, [tsc, '-p', folder], { stdio: 'inherit' }).status ?? 1;
