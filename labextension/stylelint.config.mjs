export default {
  extends: ['stylelint-config-standard'],
  rules: {
    // Class names follow JupyterLab: `jp-Component-part`, `jp-mod-state`, its icons' own.
    'selector-class-pattern':
      '^jp-([A-Z][A-Za-z]*(-[a-z][A-Za-z]*)*|mod-[a-zA-Z]+|icon[0-9a-z-]*)$'
  }
};
