import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Queryable } from './database.ts';
import { schemaWaitOf } from './failures.ts';
import { type Grants, ownGrants } from './grants.ts';

/** Where the SQL files of the migrations stand. */
export const migrationsFolder = fileURLToPath(new URL('./migrations', import.meta.url));

/** The migrations of this release, by name, in their order. */
export const ownMigrations = (): string[] =>
  readdirSync(migrationsFolder)
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.replace(/\.sql$/, ''))
    .sort();

/** What an operator does about a schema that is not there, or lacks something. */
export const schemaRemedy = 'run the migrate command of this release, as the owner of the schema';

/**
 * Rejects, saying what is missing, unless every migration of this release was applied and the connected role may do all
 * that `grants` says. Migrations of newer releases do not matter.
 */
export async function checkSchema(database: Queryable, grants: Grants): Promise<void> {
  const applied = await appliedMigrations(database);
  const missing = ownMigrations().filter((name) => !applied.has(name));
  if (missing.length > 0) throw new Error(`the schema lacks ${missing.join(', ')}`);
  const refused = await missingPrivileges(database, { ...grants, ...ownGrants });
  if (refused.length > 0) throw new Error(`the role of the program may not ${refused.join(', ')}`);
}

async function appliedMigrations(database: Queryable): Promise<Set<string>> {
  try {
    const rows = await database.query<{ name: string }>('select name from schema_migrations');
    return new Set(rows.map(({ name }) => name));
  } catch (cause) {
    const wait = schemaWaitOf(cause);
    if (wait === undefined) throw cause;
    const reason =
      wait === 'missing-right' ? 'the role of the program may not read it' : 'there is no table schema_migrations';
    throw new Error(`the schema was not migrated, or not for this role: ${reason}`, { cause });
  }
}

/** Each privilege that the role lacks, such as `insert entries`. A table or a column that is not there counts as one. */
async function missingPrivileges(database: Queryable, grants: Grants): Promise<string[]> {
  const wanted: { table: string; privilege: string; column: string | null }[] = [];
  for (const [table, privileges] of Object.entries(grants)) {
    for (const privilege of privileges) {
      if (typeof privilege === 'string') wanted.push({ table, privilege, column: null });
      else for (const column of privilege.update) wanted.push({ table, privilege: 'update', column });
    }
  }
  const rows = await database.query<{ lacking: string }>(
    `select privilege || ' ' || relation || coalesce('.' || column_name, '') as lacking
       from unnest($1::text[], $2::text[], $3::text[]) as wanted (relation, privilege, column_name)
       cross join lateral (select to_regclass(quote_ident(relation))::oid as id) as found
       where not coalesce(
         case when column_name is null then has_table_privilege(id, privilege)
           else (select has_column_privilege(id, attnum, privilege) from pg_attribute
                   where attrelid = id and attname = column_name and not attisdropped)
         end, false)`,
    [wanted.map(({ table }) => table), wanted.map(({ privilege }) => privilege), wanted.map(({ column }) => column)],
  );
  return rows.map(({ lacking }) => lacking);
}
