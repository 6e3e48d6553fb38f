import jupyter from '@jupyter/eslint-plugin';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  globalIgnores(['lib/', '*.json']),
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  { plugins: { jupyter } },
  jupyter.configs.recommended,
  { files: ['schema/*.json'], ...tseslint.configs.disableTypeChecked },
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.mjs', 'style/*.js'] }
      }
    },
    rules: {
      // How Jupyter organises what belongs to a class.
      '@typescript-eslint/no-namespace': 'off',
      // Slots of signals; `jupyter/require-signal-this-arg` looks after them.
      '@typescript-eslint/unbound-method': 'off',
      // The sidebar needs the panel, which is small, at the start; and nothing may be shown before
      // the trust of its project is looked after.
      'jupyter/prefer-lazy-imports': [
        'warn',
        {
          ignoreImports: [
            '../binding/*',
            '../commands/*',
            '../failure',
            '../model/*',
            '../panel/panel',
            '../progress',
            '../sessions/actions',
            '../sessions/model',
            '../sessions/section',
            '../trust/command',
            '../trust/model',
            '../trust/views'
          ]
        }
      ],
      curly: 'error',
      eqeqeq: 'error'
    }
  }
);
