import type { PlantedBug } from './planted-bug.ts';

const startTable = 'test/contract/start-table.test.ts';

/** Bugs of what callers meet: starts, tenants, tokens, bodies. */
export const edgeBugs: readonly PlantedBug[] = [
  {
    name: 'starts are not compared',
    edits: [
      {
        file: 'src/orchestration/identity.ts',
        find: "`f1.${digestOf(['f1', start.tenant, start.process, start.body], 'hex')}`",
        put: "`f1.${digestOf(['f1', start.tenant, start.process], 'hex')}`",
      },
    ],
    caughtBy: [startTable, 'with another payload is refused'],
  },
  {
    name: 'a used key may start again',
    edits: [
      {
        file: 'src/orchestration/start-request.ts',
        find: 'WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE',
        put: 'WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE',
      },
    ],
    caughtBy: [startTable, 'with the same payload finds it'],
  },
  {
    name: 'a key that runs joins whatever runs',
    edits: [
      {
        file: 'src/orchestration/start-request.ts',
        find: 'WORKFLOW_ID_CONFLICT_POLICY_FAIL',
        put: 'WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING',
      },
    ],
    caughtBy: [startTable, 'with another payload is refused'],
  },
  {
    name: 'an action is compared by its key alone',
    edits: [
      {
        file: 'src/orchestration/identity.ts',
        find: "digestOf(['a1', call.actor.iss, call.actor.sub, call.body], 'base64url')",
        put: "digestOf(['a1', call.actor.iss], 'base64url')",
      },
    ],
    caughtBy: ['test/contract/instances.test.ts', 'with a used key and another body or subject is a mismatch'],
  },
  {
    name: 'one route looks at no tenant',
    edits: [
      {
        file: 'src/adapters/inbox.ts',
        find: "'where tenant = $1 and user_id = $2 and",
        put: "'where $1 <> \\'\\' and user_id = $2 and",
      },
    ],
    caughtBy: [
      'test/contract/authorization.test.ts',
      'GET /v1/users/\\{id\\}/inbox shows and does nothing of this tenant',
    ],
  },
  {
    name: 'a list looks at no tenant',
    edits: [
      {
        file: 'src/orchestration/visibility-query.ts',
        find: '    `PorticoTenant = ${literal(tenant)}`,\n',
        put: '    `PorticoTenant != ${literal(`${tenant}-`)}`,\n',
      },
      {
        file: 'src/orchestration/lists.ts',
        find: 'described.filter((each) => each.tenant === tenant).map(',
        put: 'described.map(',
      },
    ],
    caughtBy: ['test/contract/authorization.test.ts', 'GET /v1/transfers shows and does nothing of this tenant'],
  },
  {
    name: 'a route asks for no permission',
    edits: [
      {
        file: 'src/tokens/authentication.ts',
        find: '  if (principal?.permissions.has(permission)) return;\n',
        put: "  if (principal !== undefined && permission !== '') return;\n",
      },
    ],
    caughtBy: [
      'test/contract/authorization.test.ts',
      'GET /v1/accounts/\\{id\\} refuses a token with every permission',
    ],
  },
  {
    name: 'a token needs no claims',
    edits: [
      {
        file: 'src/tokens/authentication.ts',
        find: "      requiredClaims: ['iss', 'aud', 'sub', 'iat', 'exp'],\n",
        put: '',
      },
    ],
    caughtBy: ['test/tokens/corpus.test.ts', 'ES256 are refused, and told nothing of why: .ES256: without'],
  },
  {
    name: 'the depth of a body is looked at after its schema',
    edits: [
      {
        file: 'src/http/json-body.ts',
        find: 'depth: 32,',
        put: 'depth: 10_000,',
      },
      {
        file: 'src/http/calls.ts',
        find: "parsePart('body', body, rawBody);",
        put: "flatEnough(parsePart('body', body, rawBody));",
      },
      {
        file: 'src/http/calls.ts',
        find: 'const noQuery = ',
        put: "import { Problem } from '../problems.ts';\n\nconst flatEnough = (value: unknown): unknown => {\n  if (/\\[{33}/.test(JSON.stringify(value))) throw new Problem('malformed-request');\n  return value;\n};\n\nconst noQuery = ",
      },
    ],
    caughtBy: ['test/http/body-order.test.ts', 'is never asked about'],
  },
  {
    name: 'an event is told from another by its id alone',
    edits: [
      { file: 'src/orchestration/identity.ts', find: "digestOf(['e1', source, id]", put: "digestOf(['e1', '', id]" },
    ],
    caughtBy: ['test/contract/events.test.ts', 'has the digest of source and id as its key'],
  },
  {
    name: 'the source of an event names the tenant',
    edits: [
      {
        file: 'src/operations/event-requests.ts',
        find: "    params: 'action' in event",
        put: "    ...{ tenant: source.split('/').at(-1) },\n    params: 'action' in event",
      },
      {
        file: 'src/http/items.ts',
        find: 'carriedBy(headers, operation, 0), factsOf(request.raw).principal);',
        put: "carriedBy(headers, operation, 0), Object.assign({}, factsOf(request.raw).principal, 'tenant' in asked && asked.tenant ? { tenant: asked.tenant } : {}));",
      },
    ],
    caughtBy: ['test/contract/events.test.ts', 'another tenant reaches other'],
  },
  {
    name: 'any origin may read the answers',
    edits: [
      {
        file: 'src/http/cross-origin.ts',
        find: 'origin === undefined || !allowed.has(origin)',
        put: 'origin === undefined',
      },
    ],
    caughtBy: ['test/http/cross-origin.test.ts', 'is told nothing'],
  },
];
