#!/usr/bin/env node
import { register } from 'tsx/esm/api';

// The program is TypeScript source, run through tsx as `npm start` does.
register();
await import('../cli.ts');
