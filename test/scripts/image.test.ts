import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { catalog } from '../../src/catalog/index.ts';
import { describeAllSettings } from '../../src/config/all-settings.ts';
import { postgresBinaries, postgresSkipReason, startPostgres, withClient } from '../servers/postgres.ts';

const project = new URL('../../', import.meta.url);
const read = (file: string) => readFileSync(new URL(file, project), 'utf8');

const settingNames = describeAllSettings(catalog).map(({ name }) => name);

/** The instructions of the Dockerfile, one line each. */
const instructions = read('Dockerfile')
  .replaceAll(/^\s*#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '');
const finalStage = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM ')));
const finalLine = (instruction: string) => finalStage.find((line) => line.startsWith(`${instruction} `));

describe('the Dockerfile', () => {
  it('runs the program itself as process 1, as a user without rights, and lets it end in order', () => {
    expect(finalLine('CMD')).toBe('CMD ["node", "dist/src/main.js"]');
    expect(finalLine('USER')).toBe('USER node');
    expect(finalLine('STOPSIGNAL')).toBe('STOPSIGNAL SIGTERM');
    expect(finalStage.some((line) => /^(RUN|ENTRYPOINT|VOLUME|ADD) /.test(line))).toBe(false);
  });

  it('takes only production dependencies, without install scripts and without foreign native addons', () => {
    const installs = instructions.filter((line) => line.includes('npm ci'));
    expect(installs.every((line) => line.includes('--ignore-scripts'))).toBe(true);
    expect(finalStage).toContain('COPY --from=dependencies /app/node_modules node_modules');
    const from = instructions.findIndex((line) => line.endsWith(' AS dependencies'));
    expect(instructions.slice(from).join('\n')).toMatch(/npm ci --omit=dev [^]*prune-addons\.mjs node_modules/);
  });

  it('copies nothing that .dockerignore keeps away', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const copied = instructions
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1))
      .map((path) => path.split('/')[0]);
    expect(copied.filter((path) => !allowed.includes(path ?? ''))).toEqual([]);
    for (const path of allowed) expect(statSync(new URL(path, project), { throwIfNoEntry: false }), path).toBeDefined();
  });

  it('sets only what Portico knows', () => {
    const names = [...(finalLine('ENV') ?? '').matchAll(/([A-Z_]+)=/g)].map(([, name]) => name ?? '');
    expect(names).toContain('PORTICO_WORKFLOW_BUNDLE');
    const known = [...settingNames, 'NODE_ENV', 'NODE_OPTIONS', 'MALLOC_ARENA_MAX'];
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
  });
});

const composeFile = z.object({
  services: z.record(
    z.string(),
    z.looseObject({ environment: z.record(z.string(), z.union([z.string(), z.number()])) }),
  ),
});

describe('compose.yaml', () => {
  const { services } = composeFile.parse(parse(read('compose.yaml')));

  it('runs Portico without the right to write or to anything else', () => {
    expect(services['portico']).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
  });

  it('holds no secret: each comes from outside and has no default', () => {
    const secrets = Object.values(services).flatMap(({ environment }) =>
      Object.entries(environment).filter(([name]) => /PASSWORD|PWD|SECRET|KEYS|DATABASE_.*URL/.test(name)),
    );
    expect(secrets).toHaveLength(10);
    for (const [name, value] of secrets) expect(value, name).toMatch(/\$\{[A-Z_]+:\?[^}]+\}/);
  });

  it('migrates once, as the owner, before Portico starts without the credentials of the owner', () => {
    expect(services['migrate']).toMatchObject({ command: ['node', 'dist/src/main.js', 'migrate'] });
    expect(services['migrate']?.environment).toHaveProperty('DATABASE_OWNER_URL');
    expect(services['portico']).toMatchObject({
      depends_on: { migrate: { condition: 'service_completed_successfully' } },
    });
    expect(services['portico']?.environment).not.toHaveProperty('DATABASE_OWNER_URL');
  });

  it('gives Portico only settings it knows', () => {
    const names = ['portico', 'migrate'].flatMap((name) => Object.keys(services[name]?.environment ?? {}));
    expect(names.filter((name) => !settingNames.includes(name))).toEqual([]);
  });
});

const reason = postgresSkipReason();

describe.skipIf(reason !== undefined)('the roles that PostgreSQL begins with', () => {
  it('let the owner make tables, the program none, and Temporal its own databases', async () => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.stop());
    const script = new URL('deploy/postgres-roles.sh', project).pathname;
    execFileSync(script, {
      env: {
        PATH: `${postgresBinaries ?? ''}:${process.env['PATH'] ?? ''}`,
        PGHOST: '127.0.0.1',
        PGPORT: String(postgres.port),
        PORTICO_OWNER_PASSWORD: "o'wner",
        PORTICO_PROGRAM_PASSWORD: 'program',
        TEMPORAL_PASSWORD: 'temporal',
      },
    });
    const as = (role: string, sql: string, database = 'portico') =>
      withClient(postgres.urlOf(database, role), (client) => client.query(sql));
    await as('portico_owner', 'create table accounts (id text primary key)');
    await expect(as('portico', 'create table mine (id text)')).rejects.toThrow(/permission denied/);
    await expect(as('portico', 'select * from accounts')).rejects.toThrow(/permission denied/);
    await expect(as('temporal', 'select 1')).rejects.toThrow(/permission denied/);
    await as('temporal', 'create database temporal', 'postgres');
  });
});
