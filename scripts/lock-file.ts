import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const names = z.record(z.string(), z.string()).optional();
const lockedPackage = z.object({
  version: z.string().optional(),
  resolved: z.string().optional(),
  link: z.boolean().optional(),
  dependencies: names,
  optionalDependencies: names,
  peerDependencies: names,
  peerDependenciesMeta: z.record(z.string(), z.object({ optional: z.boolean().optional() })).optional(),
});

/** The checked parts of `package-lock.json`: the package at each path, where `""` is the project itself. */
export const lockFile = z.object({ packages: z.record(z.string(), lockedPackage) });

export type LockFile = z.output<typeof lockFile>;

/** The lowest versions without known vulnerabilities in the parts that Portico uses. */
const floors = { 'fast-jwt': '6.3.6', fastify: '5.8.1' } as const;

/** The faults of the lock file that would fail or mislead on another machine, one sentence each. */
export const findingsIn = ({ packages }: LockFile): string[] => [
  ...missingIn(packages),
  ...temporalFindings(packages),
  ...floorFindings(packages),
  ...registryFindings(packages),
];

type Packages = LockFile['packages'];

/**
 * Some registries do not list the packages of other platforms. npm then leaves them out silently, and `npm ci` fails on
 * those platforms.
 */
function missingIn(packages: Packages): string[] {
  return Object.entries(packages).flatMap(([path, { dependencies, optionalDependencies, ...entry }]) => {
    const peers = Object.keys(entry.peerDependencies ?? {}).filter(
      (name) => entry.peerDependenciesMeta?.[name]?.optional !== true,
    );
    return [...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers]
      .filter((name) => resolve(packages, path, name) === undefined)
      .map((name) => `${path === '' ? 'package.json' : path} needs ${name}, which the lock file lacks`);
  });
}

function temporalFindings(packages: Packages): string[] {
  const temporal = Object.entries(packages).filter(([path]) => path.includes('node_modules/@temporalio/'));
  const versions = [...new Set(temporal.map(([, { version }]) => version ?? 'none'))];
  const copies = ['common', 'proto', 'worker'].map((name) =>
    resolve(packages, `node_modules/@temporalio/${name}`, 'protobufjs'),
  );
  return [
    ...(versions.length === 1 ? [] : [`@temporalio packages must have one version, not ${versions.join(', ')}`]),
    ...(new Set(copies).size === 1
      ? []
      : [`@temporalio/common, proto and worker must share one protobufjs, not ${copies.join(', ')}`]),
  ];
}

const floorFindings = (packages: Packages): string[] =>
  Object.entries(floors).flatMap(([name, floor]) =>
    Object.entries(packages)
      .filter(([path, { version }]) => path.endsWith(`node_modules/${name}`) && !isAtLeast(version ?? '0', floor))
      .map(([path, { version }]) => `${path} ${version ?? 'without version'} is older than ${floor}`),
  );

const registryFindings = (packages: Packages): string[] =>
  Object.entries(packages)
    .filter(([, { resolved, link }]) => resolved !== undefined && link !== true)
    .map(([path]) => `${path} names the registry it came from: install with omit-lockfile-registry-resolved`);

/** The path at which Node.js finds a dependency of a package: in its own folder, else in the nearest one above. */
function resolve(packages: Packages, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const candidate = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (packages[candidate] !== undefined) return candidate;
    if (folder === '') return undefined;
  }
}

function isAtLeast(version: string, floor: string): boolean {
  const [have, need] = [version, floor].map((text) => text.split(/[.+-]/).slice(0, 3).map(Number));
  for (const [index, part] of (need ?? []).entries()) {
    const other = have?.[index] ?? 0;
    if (other !== part) return other > part;
  }
  return true;
}

/** Run by itself it fails where package-lock.json would not install everywhere, or installs what it must not. */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8');
  const findings = findingsIn(lockFile.parse(JSON.parse(text)));
  for (const finding of findings) console.error(finding);
  process.exitCode = findings.length === 0 ? 0 : 1;
}
