import lambdaChromium from '@sparticuz/chromium';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newTicket } from './contract.ts';
import { procedures, startApp } from './harness.ts';

let browser: Browser;
beforeAll(async () => {
  const executablePath = await lambdaChromium.executablePath();
  // Not the package's own arguments: these switch off the web's security, which this test is about.
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
});
afterAll(() => browser.close());

/** Opens the page, and keeps what goes wrong on it and which hosts it asks. */
async function openDocs(url: string) {
  const page: Page = await browser.newPage({ viewport: { width: 1200, height: 1000 } });
  const problems: string[] = [];
  const hosts = new Set<string>();
  page.on('request', (request) => hosts.add(new URL(request.url()).origin));
  page.on('requestfailed', (request) => problems.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on('pageerror', (error) => problems.push(error.message));
  // A violation of the content security policy is an error on the console too.
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text());
  });
  await page.goto(`${url}/docs`);
  await page.locator('.opblock').first().waitFor();
  return { page, problems, hosts, [Symbol.asyncDispose]: () => page.close() };
}

test('the page lists every operation', async () => {
  await using app = await startApp();
  await using docs = await openDocs(app.url);
  const listed = await docs.page.locator('.opblock-summary-operation-id').allTextContents();
  expect(listed.sort()).toEqual(Object.keys(procedures).sort());
  expect(await docs.page.title()).toBe('Counterfoil: API');
});

test('with a key, "Try it out" creates a ticket, and nothing is asked for elsewhere', async () => {
  await using app = await startApp();
  await using docs = await openDocs(app.url);
  const { page } = docs;
  await page.getByRole('button', { name: 'Authorize' }).click();
  const dialog = page.locator('.dialog-ux');
  await dialog.locator('input').first().fill(app.key);
  await dialog.getByRole('button', { name: 'Apply credentials' }).first().click();
  await dialog.getByRole('button', { name: 'Close' }).first().click();

  const operation = page.locator('.opblock', { hasText: 'tickets.create' });
  await operation.locator('.opblock-summary-control').click();
  const ticket = newTicket();
  await operation.locator('textarea.body-param__text').fill(JSON.stringify(ticket));
  await operation.getByRole('button', { name: 'Execute' }).click();
  const response = operation.locator('.live-responses-table .response');
  await expect.poll(() => response.locator('.response-col_status').textContent()).toMatch(/^200/);
  expect(await response.textContent()).toContain(ticket.ticketId);
  expect((await app.rest('tickets.get', { shortId: ticket.ticketShortId })).data).toMatchObject(ticket);

  expect([...docs.hosts]).toEqual([app.url]);
  expect(docs.problems).toEqual([]);
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });
});
