import { expect, it } from 'vitest';
import { permissionOf } from '../../src/definition/definition.ts';
import { generalFilters, reservedCollections, reservedVerbs } from '../../src/definition/reserved-names.ts';
import { operationsOf, operationsWith } from '../../src/operations/index.ts';
import { probesV1 } from '../fixtures/probes.ts';

/** A definition without anything of its own: what is left is served for every process. */
const general = operationsOf({ ...probesV1, actions: {}, views: {}, labels: {} });

it('every verb of the general operations is reserved, in addresses and in permissions', () => {
  const inAddresses = general.flatMap(({ path }) => /\{id\}\/(.+)$/.exec(path)?.[1] ?? []);
  const inPermissions = general.map(({ permission }) => permission.replace('probes:', ''));
  expect(inAddresses).toContain('result');
  expect([...inAddresses, ...inPermissions].filter((verb) => !reservedVerbs.has(verb))).toEqual([]);
});

it('what every resource is called is reserved, in addresses and in permissions', () => {
  const named = operationsWith([]).flatMap(({ path, permission }) => [path.split('/')[2], permission.split(':')[0]]);
  expect(new Set(named)).toEqual(reservedCollections);
});

it('the verbs of what is to come are reserved', () => {
  const planned = ['timeline', 'events', 'rerun', 'pause', 'resume', 'terminate', 'retry'];
  expect(planned.filter((verb) => !reservedVerbs.has(verb))).toEqual([]);
});

it('every filter of the general list is reserved', () => {
  const filters = general.flatMap(({ query }) => Object.keys(query?.shape ?? {}));
  expect(filters.sort()).toEqual([...generalFilters].sort());
});

it('a permission is named after its verb, unless the action names another', () => {
  const ping = { ...probesV1.actions['ping'], permission: 'probes:poke' } as (typeof probesV1.actions)[string];
  const definition = { ...probesV1, actions: { ...probesV1.actions, ping } };
  const permissions = ['start', 'read', 'ping', 'drop', 'constructor'].map((verb) => permissionOf(definition, verb));
  expect(permissions).toEqual(['probes:start', 'probes:read', 'probes:poke', 'probes:drop', 'probes:constructor']);
  const asked = Object.fromEntries(
    operationsOf(definition).map(({ path, method, permission }) => [`${method} ${path}`, permission]),
  );
  expect(asked).toMatchObject({
    'POST /v1/probes': 'probes:start',
    'GET /v1/probes/{id}/progress': 'probes:read',
    'POST /v1/probes/{id}/ping': 'probes:poke',
    'POST /v1/probes/{id}/drop': 'probes:drop',
  });
});
