// Short class names, by the component's name: they are sent many times over.
export default { compilerOptions: { runes: true, cssHash: ({ hash, name }) => `v${hash(name).slice(0, 3)}` } };
