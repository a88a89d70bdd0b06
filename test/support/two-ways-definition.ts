import { defineProcess } from '../../src/catalog/define-process.ts';
import { userGrantInput, userGrantOutput, userGrantsV1 } from '../../src/catalog/user-grants.ts';
import type * as workflows from './user-grants-two-ways.ts';

/** user-grants with a second implementation: new starts with the locale `de` run it. */
export const userGrantsTwoWays = defineProcess<typeof workflows>()({
  ...userGrantsV1,
  workflow: 'userGrants',
  implementations: [{ workflow: 'userGrantsDiscountFirst', when: { field: 'locale', equals: 'de' } }],
  key: { from: 'body', field: 'userId' },
  input: userGrantInput,
  output: userGrantOutput,
  labels: {},
  actions: {},
  views: {},
  steps: {
    congratulating: { label: 'Sending the push message' },
    'congratulating-adult': { label: 'Granting what adults get' },
    granting: { label: 'Granting the welcome discount' },
  },
});
