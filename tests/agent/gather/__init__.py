"""Tests of the sources, against captured or constructed trees and the machine itself."""
