import eslint from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import importSort from 'eslint-plugin-simple-import-sort';
import tseslint from 'typescript-eslint';

const temporalHosts = '^@temporalio/(client|worker|proto|core-bridge|testing|envconfig|nexus)';

/** Workflow code is deterministic and re-executed for each instance: values come from the sandbox's own packages only. */
const workflowImports = {
  '@typescript-eslint/no-restricted-imports': [
    'error',
    {
      patterns: [
        {
          regex: '^(?!@temporalio/(workflow|common)$|\\./|\\.\\./instance/)',
          allowTypeImports: true,
          message: 'Workflows import values only from @temporalio/workflow, @temporalio/common and each other.',
        },
      ],
    },
  ],
};

/** Rules of zones and languages come from data that differs between workers: the api resolves times before a workflow. */
const noZones = 'Workflows know instants alone: the data of zones and languages differs between workers.';
const zonelessTime = {
  'no-restricted-globals': ['error', ...['Intl', 'Temporal'].map((name) => ({ name, message: noZones }))],
  'no-restricted-properties': [
    'error',
    { object: 'process', property: 'env', message: 'Only src/config/ reads the environment.' },
    ...['Intl', 'Temporal'].map((property) => ({ object: 'globalThis', property, message: noZones })),
    ...['toLocaleString', 'toLocaleDateString', 'toLocaleTimeString', 'localeCompare', 'getTimezoneOffset']
      .concat(['getFullYear', 'getMonth', 'getDate', 'getDay', 'getHours', 'getMinutes', 'setFullYear', 'setMonth'])
      .concat(['setDate', 'setHours', 'setMinutes'])
      .map((property) => ({ property, message: noZones })),
  ],
};

/** What Node.js offers everywhere. A variable of such a name hides it from everybody who reads on. */
const globals = Object.fromEntries(
  ['Buffer', 'URL', 'clearInterval', 'clearTimeout', 'console', 'fetch', 'performance', 'process', 'queueMicrotask']
    .concat(['crypto', 'setImmediate', 'setInterval', 'setTimeout', 'structuredClone'])
    .map((name) => [name, 'readonly']),
);

const oneName = [
  {
    selector: "ImportDeclaration[source.value='node:timers/promises'] ImportSpecifier[local.name!='sleep']",
    message: 'The one name for waiting is `sleep`: import { setTimeout as sleep }.',
  },
  {
    selector: "ImportDeclaration[source.value='vitest'] ImportSpecifier[imported.name='test']",
    message: 'Tests are written with `it`.',
  },
];

export default defineConfig(
  globalIgnores(['dist', 'client/dist', 'coverage', '.portico*', 'node_modules', 'client/src/{operations,schema}.ts']),
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    plugins: { 'import-sort': importSort },
    languageOptions: {
      globals,
      parserOptions: {
        projectService: { allowDefaultProject: ['*.js', 'scripts/*.mjs', 'local/*.mjs', 'local/temporal/*.mjs'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      'max-lines': ['error', { max: 220 }],
      'max-lines-per-function': ['error', { max: 70 }],
      'no-restricted-syntax': ['error', ...oneName],
      '@typescript-eslint/no-shadow': ['error', { builtinGlobals: true, ignoreOnInitialization: true }],
      'import-sort/imports': ['error', { groups: [['^node:', '^@?\\w', '^\\.']] }],
      eqeqeq: 'error',
      // Nothing here uses `this`: members of what factories return may be passed on by name.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['src/**/*.ts', 'activities/**/*.ts'],
    ignores: ['src/orchestration/**', 'src/worker/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: temporalHosts,
              message: 'Only src/orchestration, src/worker and scripts talk to Temporal.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['src/**/*.ts', 'activities/**/*.ts', 'workflows/**/*.ts', 'relay/**/*.ts'],
    ignores: ['src/config/**', 'relay/main.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { name: 'node:async_hooks', message: 'Once used, it makes each promise dearer before Node.js 24.' },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Only src/config/ reads the environment.' },
      ],
    },
  },
  {
    files: ['relay/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(?!node:|pg$|pino$|prom-client$|\\./|\\.\\./client/)',
              message: 'The relay runs beside any service: it imports client/, pg, pino, prom-client and itself.',
            },
          ],
        },
      ],
    },
  },
  { files: ['workflows/**/*.ts'], rules: { ...workflowImports, ...zonelessTime } },
  {
    files: ['**/*.js', '**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 400 }],
      // A `describe` is no function of ours.
      'max-lines-per-function': 'off',
      // Bodies of answers are looked into freely: the harness holds them against openapi.yaml.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
);
