/** Opens the embedded database in the folder given, and moves money until it is killed. Prints what was acknowledged. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { openEmbeddedDatabase } from '../../../local/database/embedded.ts';
import { createLedger } from '../../../src/adapters/ledger/ledger.ts';
import { connectDatabase } from '../../../src/database/database.ts';
import { migrate } from '../../../src/database/migrate.ts';
import { openTenant, openTransfer } from '../../fixtures/opened-transfer.ts';

const [, , folder = '', count = '0'] = process.argv;
const logger = pino({ level: 'silent' });
const embedded = await openEmbeddedDatabase({ folder, logger });
await migrate({ ownerUrl: embedded.url, logger });
const database = connectDatabase({ url: embedded.url, poolMax: 1, logger });
const ledger = createLedger(database);
const tenant = await openTenant(database);
console.log(`tenant ${tenant}`);
for (let n = 0; n < Number(count); n += 1) {
  const key = await openTransfer(database, tenant, { transferId: randomUUID(), amountMinor: 1n });
  await ledger.withdraw(key);
  await ledger.deposit(key);
  console.log(`acknowledged ${key.transferId}`);
}
await database.close();
await embedded.close();
console.log('closed');
