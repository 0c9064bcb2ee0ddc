// `npm run test:browser`; `npm test` needs no browser and leaves these tests out.
export default {
  files: ['build/test/browser/**/*.test.js'],
  workerThreads: false,
  timeout: '10m',
  concurrency: 1,
  failWithoutAssertions: true,
};
