SwaggerUIBundle({
  url: '../openapi.json',
  dom_id: '#api',
  deepLinking: true,
  displayOperationId: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  // The default validator is a service elsewhere: this page works offline.
  validatorUrl: null,
});
