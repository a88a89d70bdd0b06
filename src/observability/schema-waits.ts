import { Counter, type Registry } from 'prom-client';
import type { SchemaWait } from '../database/failures.ts';

const states = ['missing-table', 'missing-column', 'missing-right'] as const satisfies readonly SchemaWait[];

/** The counter of statements that a schema older than the program, or a lacking right, holds up. */
export function createSchemaWaits(registers: Registry[]): (state: SchemaWait) => void {
  const waits = new Counter({
    name: 'portico_database_schema_waits_total',
    help: 'Statements that wait for a migration: a table, a column or a right of the role is missing.',
    labelNames: ['state'],
    registers,
  });
  // An alert on the increase needs the value before the first wait.
  for (const state of states) waits.inc({ state }, 0);
  return (state) => waits.inc({ state });
}
