import pg from 'pg';

/** What the program's role may do with the rows of a table. An update names its columns. */
type Privilege = 'select' | 'insert' | 'delete' | { readonly update: readonly string[] };

/** Privileges by table. Each adapter grants the tables that it owns. */
export type Grants = Readonly<Record<string, readonly Privilege[]>>;

/** The migrations' own table, by which the program knows that there is a schema. */
export const ownGrants = { schema_migrations: ['select'] } satisfies Grants;

// Two transactions that change the privileges of one table at once fail. The number is any, the same in all processes.
const lockId = 4_716_092_380_177;

/**
 * Grants a role what `grants` says and revokes all else, for every table in the schema `public` that belongs to the
 * client's own role. One transaction: a program that runs meanwhile never lacks what it has before and after. Where this
 * rejects, the transaction is open: end the client.
 */
export async function applyGrants(client: pg.Client, role: string, grants: Grants): Promise<void> {
  const grantee = pg.escapeIdentifier(role);
  await client.query('begin');
  await client.query(`select pg_advisory_xact_lock(${lockId})`);
  const { rows: tables } = await client.query<{ name: string }>(
    `select relname as name from pg_class
       where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
         and relowner = (select oid from pg_roles where rolname = current_user)`,
  );
  for (const { name } of tables) await client.query(`revoke all on ${tableOf(name)} from ${grantee}`);
  await client.query(`grant usage on schema public to ${grantee}`);
  for (const [table, privileges] of Object.entries({ ...grants, ...ownGrants })) {
    await client.query(`grant ${privileges.map(privilegeOf).join(', ')} on ${tableOf(table)} to ${grantee}`);
  }
  await client.query('commit');
}

const tableOf = (name: string): string => `public.${pg.escapeIdentifier(name)}`;

const privilegeOf = (privilege: Privilege): string =>
  typeof privilege === 'string' ? privilege : `update (${privilege.update.map(pg.escapeIdentifier).join(', ')})`;
