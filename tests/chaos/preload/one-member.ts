/** Loaded before a service, makes it content with the confirmation of one member: what the negative control must find. */
import { mongo } from 'mongoose';

const { db } = mongo.MongoClient.prototype;
mongo.MongoClient.prototype.db = function weak(name, options) {
  const writeConcern = new mongo.WriteConcern(1);
  return db.call(this, name, { ...options, writeConcern, readConcern: new mongo.ReadConcern('local') });
};
