// Writes src/api/schema.d.ts from openapi.json. Operations are named by their address: the names
// that the description gives them are only unique within one noun.
import { readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const description = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8'));
for (const path of Object.values(description.paths)) {
  for (const operation of Object.values(path)) delete operation.operationId;
}
const types = astToString(await openapiTS(description));
writeFileSync(new URL('../src/api/schema.d.ts', import.meta.url), types);
