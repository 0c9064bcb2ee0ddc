/** Version of the package, as in package.json: written here too, so that importing the package reads no file. */
export const packageVersion = '0.1.0';
