import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * `node prune-addons.mjs <node_modules>`: removes the Temporal SDK's native addons of other platforms, about 110 MB.
 * Plain JavaScript: it runs in the image's build, without development dependencies.
 */
const [folder = 'node_modules'] = process.argv.slice(2);
const architecture = { x64: 'x86_64', arm64: 'aarch64' }[process.arch];
const suffix = { linux: 'unknown-linux-gnu', darwin: 'apple-darwin', win32: 'pc-windows-msvc' }[process.platform];
const own = `${architecture}-${suffix}`;

const releases = join(folder, '@temporalio/core-bridge/releases');
const found = readdirSync(releases);
if (!found.includes(own)) throw new Error(`no native addon for this platform: ${own} is not among ${found.join(', ')}`);
for (const name of found.filter((release) => release !== own)) rmSync(join(releases, name), { recursive: true });
