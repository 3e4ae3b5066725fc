#!/usr/bin/env node
// The compiled command line. In a clone, `npm ci` (or `npm run build`) makes dist/.
import '../dist/cli/main.js';
